"""The command `compare`: two measurements on the same texts, text by text."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..base.files import write_atomically
from . import door, readiness
from .command import (
    ANYWHERE,
    AsJson,
    Column,
    Dataset,
    Device,
    Dtype,
    Length,
    N,
    Out,
    Quiet,
    Sources,
    Split,
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
    show_progress,
)
from .measure import measured

CURVES = "Mean cosine μ over depth, with 95 % intervals over the texts"
OF_COMPARING = ("a", "b", "out", "quiet", "as_json")  # all else is of a measurement
Side = Annotated[str, typer.Argument(help="A saved .npz, a folder that measure --out wrote, or a model.")]


@said_plainly
def compare(
    a: Side,
    b: Side,
    texts: TextFiles = None,
    column: Column = None,
    split: Split = False,
    dataset: Dataset = None,
    n: N = None,
    text_seed: TextSeed = 0,
    max_length: Length = None,
    tokenizer: Tokenizer = None,
    out: Out = None,
    device: Device = None,
    dtype: Dtype = "float32",
    sources: Sources = ANYWHERE,
    accept_terms: Terms = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare two models on the same texts: B minus A, with paired 95 % intervals.

    Saved results must be of the same texts. A model is measured now, and the
    options from --texts on are those of `decondense measure`.

    \b
    Examples:
      decondense compare before/my-model.npz after/my-model.npz
      decondense compare before after --out difference
      decondense compare pocket-small pocket-medium --n 5 --json
    """
    asked = dict(locals())
    if out:
        door.check_folder(out)
    how = {
        "weights": "pretrained", "seed": 0, "tokenizer": tokenizer, "device": device, "dtype": dtype,
        "sources": places(sources), "accept_terms": accept_terms,
    }  # fmt: skip
    saved = {side: path for side in (a, b) if (path := saved_file(side))}
    models = [side for side in dict.fromkeys((a, b)) if side not in saved]
    if models:
        door.check(models, how)
    else:
        door.refuse_unread(compare, asked, OF_COMPARING, "is for a measurement, and both results are saved")
    readiness.spare_the_hub([*models, tokenizer], sources, dataset)
    how["progress"] = show_progress(quiet or as_json)
    from .. import pairing
    from ..condensation import Condensation

    found = {side: Condensation.load(path) for side, path in saved.items()}
    if models:
        lengths = [result.settings["max_length"] for result in found.values()]
        how["max_length"] = max_length = max_length or door.longest(models, lengths)
        with plainly():
            given = door.texts(
                texts or [], dataset, n, text_seed, places(sources), column=column, split=split, max_length=max_length
            )
            door.check_chats(given.texts, models, how)
            found |= {name: measured(name, given, how) for name in models}
    first, second = told_apart(found[a], found[b])
    pair = pairing.compare(first, second)
    by = "SHA-256" if pairing.known_texts(first) and pairing.known_texts(second) else "token counts"
    content = {"command": command_line(), "same_texts_by": by, **pairing.facts(pair)}
    content["sentences"] = [pairing.sentence(number, pair.first, pair.second) for number in pair.numbers]
    if out:
        with plainly():
            write(out, first, second, pair, content)
    if as_json:
        print_json(content)
    _show(pair, content, console(quiet, as_json), out)


def saved_file(side: str) -> Path | None:
    """The .npz that an argument means: the file itself, or the only one of a folder; `None` for a model.

    Raises
        FileNotFoundError: no such .npz file.
        ValueError: a folder with several.
    """
    from .. import models

    path = Path(side)
    if path.suffix == ".npz":
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {side}. Write one with: decondense measure MODEL --out DIR")
        return path
    if not path.is_dir() or (path / "config.json").is_file() or models.is_adapter(side):
        return None
    there = sorted(path.glob("*.npz"))
    if not there:
        cure = "Give a folder that `decondense measure --out` wrote, or one with a model."
        raise FileNotFoundError(f"The folder {side} has neither a .npz nor a config.json. {cure}")
    if len(there) > 1:
        raise ValueError(f"The folder {side} has {len(there)} results. Give one of {', '.join(p.name for p in there)}.")
    return there[0]


def told_apart(first, second):
    """Both results, with names that differ."""
    if first.name != second.name:
        return first, second
    return replace(first, name=f"{first.name} (A)"), replace(second, name=f"{second.name} (B)")


def write(out: Path, first, second, pair, content: dict) -> None:
    """comparison.html, .png, .csv (over depth) and .json."""
    import pandas as pd

    from .. import plots
    from . import report

    image = report.png(plots.depth_profiles([first, second]))
    low, high = pair.mu.interval
    columns = {"depth": pair.depth, "first": pair.mu.first, "second": pair.mu.second, "difference": pair.mu.difference}
    write_atomically(out / "comparison.csv", pd.DataFrame(columns | {"low": low, "high": high}).to_csv(index=False))
    write_atomically(out / "comparison.png", image)
    write_atomically(out / "comparison.json", json_text(content))
    facts = {f"{r.name}: {name}": value for r in (first, second) for name, value in _origin(r).items()}
    facts["same texts, known by"] = content["same_texts_by"]
    write_atomically(out / "comparison.html", report.comparison(pair, {CURVES: image}, content["command"], facts))


def _origin(result) -> dict:
    model = result.settings.get("model", {})
    words = {name: model.get(name) for name in ("source", "weights", "quantisation", "licence", "dtype")}
    return words | {"texts": result.settings.get("texts"), "max_length": result.settings["max_length"]}


def _show(pair, content: dict, console, out: Path | None) -> None:
    from . import terminal

    console.print(Text(f"{pair.texts} texts, the same for both", "dim"))
    if content["same_texts_by"] != "SHA-256":
        console.print(Text("The texts are taken to be the same because their token counts agree.", "yellow"))
    console.print(terminal.differences([pair]))
    console.print(terminal.over_depth(pair))
    for line in content["sentences"]:
        console.print(Text(line))
    if out:
        console.print(Text(f"report: {out / 'comparison.html'}"), soft_wrap=True)
