"""The command `measure`: models by name, or states that others saved; `results` writes and shows what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..base.files import CANNOT_WRITE
from ..base.settings import flag
from . import command, door, readiness, saved
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
    places,
    plainly,
    said_plainly,
    say,
    show_progress,
    why,
)
from .results import conclude

Models = Annotated[list[str] | None, typer.Argument(help="Names, ids on the hub, or folders.", metavar="MODEL")]
Weights = Annotated[str, typer.Option(help="pretrained, or random: the architecture at initialisation.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of random weights, or of the training of a pocket model.")]
States = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Instead of a model: a .safetensors, .npz, .npy or .pt of hidden states, or a folder."
    ),
]
Order = Annotated[
    str | None, typer.Option(metavar="AXES", help="Axes of --states, where not clear: tokens,layers,features.")
]
Card = Annotated[
    bool, typer.Option("--card", help="A table and the figure for a model card: DIR/card.md, printed without --out.")
]
PerToken = Annotated[
    bool, typer.Option("--per-token", help="Show the tokens furthest in and out of the cone; takes a second pass.")
]
Controls = Annotated[bool, typer.Option("--controls", help="Split mu into what all texts share and what one text has.")]


@said_plainly
def measure(
    model: Models = None,
    texts: TextFiles = None,
    column: Column = None,
    split: Split = False,
    dataset: Dataset = None,
    n: N = None,
    text_seed: TextSeed = 0,
    max_length: Length = None,
    weights: Weights = "pretrained",
    seed: Seed = 0,
    tokenizer: Tokenizer = None,
    states: States = None,
    order: Order = None,
    out: Out = None,
    card: Card = False,
    per_token: PerToken = False,
    controls: Controls = False,
    device: Device = None,
    dtype: Dtype = "float32",
    sources: Sources = ANYWHERE,
    accept_terms: Terms = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure how the token embeddings of models crowd together with depth.

    Several models are measured on the same texts and compared with the first.
    One that cannot be measured is named, and the others go on (exit status 1;
    2 if it is the only one).

    --out DIR writes one .npz per model, which `decondense compare` reads, and
    report.html, report.png, report.csv and report.json of this run; of several
    models trends.png, too. --card adds card.md, --per-token per_token.csv.

    --states PATH measures hidden states that others saved (vLLM, your own
    loop), one text a file or a tensor.

    \b
    Examples:
      decondense measure smollm2-135m-instruct --sources pypi --n 5
      decondense measure pocket-small pocket-medium --out pocket
      decondense measure my-model --texts a.txt --texts b.txt --max-length 256
      decondense measure my-model --texts book.txt --split --n 20
      decondense measure my-model --texts reviews.csv --column review
      decondense measure gpt2 --weights random --tokenizer pocket-small
      decondense measure my-model --dataset wikitext-2 --json
      decondense measure my-model --texts a.txt --card --per-token --out report
      decondense measure gpt2 --n 10 --controls --out report
      decondense measure --states vllm-states --out report
    """
    asked = dict(locals())
    if out:
        door.check_folder(out)
    if card and not out and (quiet or as_json or per_token or controls):
        others = "--quiet, --json, --per-token and --controls"
        raise ValueError(f"--card without --out prints the card alone: leave {others} out, or give --out DIR.")
    shown = {"out": out, "card": card, "quiet": quiet, "as_json": as_json}
    if states:
        if model:
            raise ValueError("--states are measured without a model: name a MODEL or give --states, not both.")
        door.refuse_unread(measure, asked, saved.OF_STATES, "needs a model, and --states has none")
        with plainly():
            result = saved.measured(states, order, out, show_progress(quiet or as_json))
        about = {"source": result.settings["texts"], "n": len(result.tokens), "sha256": None}
        return conclude([result], {}, about, {}, **shown)
    if order or not model:
        raise ValueError("--order needs --states PATH: give both." if order else "Name a MODEL, or give --states PATH.")
    how = {
        "weights": weights, "seed": seed, "tokenizer": tokenizer, "device": device, "dtype": dtype,
        "sources": places(sources), "accept_terms": accept_terms,
    }  # fmt: skip
    door.check(model, how)
    how["max_length"] = max_length = max_length or door.longest(model)
    readiness.spare_the_hub([*model, tokenizer], sources, dataset)
    how |= {"progress": show_progress(quiet or as_json), "controls": controls}
    with plainly():
        given = door.texts(
            texts or [], dataset, n, text_seed, places(sources), column=column, split=split, max_length=max_length
        )
        door.check_chats(given.texts, model, how)
    tokens: dict[str, list] | None = {} if per_token else None
    results, failed = several(model, given, how, out, tokens)
    if failed and len(model) == 1:
        raise command.failed(": ".join(*failed.items()), 2, as_json)
    about = {"source": given.source, "n": len(given.texts), "sha256": given.sha256}
    conclude(results, failed, about, tokens or {}, **shown)


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


def several(
    names: Sequence[str], texts, how: Mapping, out: Path | None = None, tokens: dict[str, list] | None = None
) -> tuple[list, dict[str, str]]:
    """All that could be measured, and for each that could not be the reason; into `out` as soon as it is there.

    Into `tokens`, where it is given, go the cosines of each model's tokens, by the name of the result.
    """
    from .. import surveys
    from . import per_token

    results, failed = [], {}
    for name in names:
        try:
            with plainly():
                result = measured(name, texts, how)
            cosines = None if tokens is None else per_token.measured(name, texts, how)
        except Exception as error:  # whatever a library raises for one model, the others go on
            # Of a full disk no other model will do better.
            if flag("DECONDENSE_DEBUG") or getattr(error, "errno", None) in CANNOT_WRITE:
                raise
            failed[surveys.label(name)] = why(error)
            say(f"error: {name}: {why(error)}", "red")
            continue
        results.append(replace(result, name=_name(result.name, how)))
        if tokens is not None:
            tokens[results[-1].name] = cosines
        if out:
            results[-1].save(out / f"{surveys.file_name(results[-1].name)}.npz")
    return results, failed


def _name(name: str, how: Mapping) -> str:
    """The name with what was drawn: random weights, or the seed of a pocket model, which is trained here."""
    if how["weights"] == "random":
        return f"{name}-random-{how['seed']}"
    return f"{name}-seed{how['seed']}" if how["seed"] else name
