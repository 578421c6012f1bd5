"""The command `tokens`: texts of this machine packed as token ids, for a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from . import door
from .command import ANYWHERE, AsJson, Quiet, Sources, console, places, print_json, said_plainly, show_progress


@said_plainly
def tokens(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The token files go to DIR/TOKENIZER.")],
    tokenizer: Annotated[
        str, typer.Option(metavar="MODEL", help="The model whose tokenizer is used.")
    ] = "pocket-small",
    pieces: Annotated[
        int | None, typer.Option(min=1, help="At most this many files to train on; all if not given.")
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Also the weights of that model, and benchmarks, for mid-training.")
    ] = False,
    sources: Sources = ANYWHERE,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Pack documentation, wikitext-2 and the Python source of free packages here into token files.

    Each file has at most 40 MB. To train on them, call the folder tokens, and
    name the one above it in DECONDENSE_DATA: the corpus, and its tokenizer,
    are packed/TOKENIZER. The source is under the licences that tokens.json
    lists: it is to train on, not to be passed on. With --weights the first 500
    items of nine benchmarks are packed too, as requests of lm-eval.

    \b
    Examples:
      decondense tokens --out data/tokens
      decondense tokens --out data/tokens --tokenizer smollm2-135m-instruct --pieces 1 --weights
    """
    from .. import models
    from ..corpora import mixture

    show_progress(quiet or as_json)
    door.check_folder(out)
    folder = out / models.file_name(tokenizer)
    beside, about = None, None
    if weights:
        from ..campaign import carried

        beside, about = carried.beside(tokenizer, places(sources))
    read = models.load_tokenizer(tokenizer, places(sources))
    made = mixture.pack(folder, read, places(sources), pieces, beside, about)
    if as_json:
        print_json({"folder": str(folder), **made})
    _show(folder, made, console(quiet, as_json))


def _show(folder: Path, made: dict, shown) -> None:
    for name, file in made["files"].items():
        shown.print(Text(f"{file['tokens']:>12,} tokens  {folder / name}"), soft_wrap=True)
    for name in made.get("beside", {}):
        shown.print(Text(f"{(folder / name).stat().st_size:>12,} bytes   {folder / name}"), soft_wrap=True)
    documents = f"{made['documents']:,} documents, {made['documents_held_out']:,} held out"
    shown.print(
        Text(f"{documents}, {len(made['licences'])} licences: {folder / 'tokens.json'}. Not to be passed on."),
        soft_wrap=True,
    )
