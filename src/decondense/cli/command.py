"""What the commands of `decondense` share: how errors are shown, and who gets which line of output.

Exit status: 0 all is well; 1 something failed while it ran, or `doctor` found that measuring, or the chosen profile,
cannot run; 2 bad input (which includes a single model that cannot be measured), or the command could not begin; 130
Ctrl-C.
"""

import json
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from ..base.assets import SOURCES
from ..base.errors import printable
from ..base.settings import flag

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]

TextFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--texts",
        metavar="FILE",
        help="A text; or .jsonl, .json, .csv, .tsv, .parquet: one per row. Also compressed with gzip; - is standard "
        "input. Repeatable.",
    ),
]
Column = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of the texts or chats: `text` or `messages` if not given."),
]
Split = Annotated[
    bool, typer.Option("--split", help="Cut files into consecutive pieces, of 2 words for each token of --max-length.")
]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Texts by name: wikitext-2, ...; owner/name:config:split of the hub; a folder of save_to_disk. "
        "documentation if not given.",
    ),
]
N = Annotated[
    int | None, typer.Option("--n", min=1, help="Texts to take: 10 of a data set, all of the files if not given.")
]
TextSeed = Annotated[int, typer.Option(min=0, help="Seed of the first text drawn from a data set.")]
Tokenizer = Annotated[str | None, typer.Option(metavar="MODEL", help="Cut the texts with the tokenizer of this model.")]
Length = Annotated[
    int | None,
    typer.Option(min=2, help="Cut texts to this many tokens. If not given: 512, or fewer where a model takes fewer."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the report, figures and numbers here.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...; chosen automatically if not given.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
Sources = Annotated[str, typer.Option(help="Where models and texts may come from.")]
Terms = Annotated[bool, typer.Option("--accept-terms", help="Accept a mirror's licence terms, once and for all.")]

ANYWHERE = ",".join(SOURCES)

REFUSALS = (ValueError, OSError, MemoryError, RuntimeError, ImportError)  # with a message, they name a cure

_spoken_to: ContextVar[TextIO | None] = ContextVar("standard error as it was before it was silenced", default=None)


def said_plainly(command: Callable) -> Callable:
    """Print an error that has a message as one red line and exit with 2, unless DECONDENSE_DEBUG is set.

    Ctrl-C exits with 130. With `quiet` nothing else is printed to standard error; with `as_json` the one object on
    standard output is {"error": ..., "status": ...}, also where a traceback follows.
    """

    @wraps(command)
    def run(*args, **kwargs):
        as_json = kwargs.get("as_json", False)
        try:
            with silenced(kwargs.get("quiet", False)):
                return command(*args, **kwargs)
        except typer.Exit:  # a RuntimeError too
            raise
        except KeyboardInterrupt:
            say("Interrupted.", "yellow")
            raise failed("Interrupted.", 130, as_json) from None
        except Exception as error:
            plain = isinstance(error, REFUSALS) and str(error) and not flag("DECONDENSE_DEBUG")
            ended = failed(why(error), 2 if plain else 1, as_json)
            if not plain:
                raise
            say(f"error: {why(error)}", "red")
            raise ended from None

    return run


def failed(error: str, status: int, as_json: bool) -> typer.Exit:
    """The end of a command that has no result, to be raised; its JSON is printed."""
    if as_json:
        print_json({"error": error, "status": status})
    return typer.Exit(status)


def why(error: Exception) -> str:
    """The message of an error in one line; of one that was not foreseen also its kind, and how to see more."""
    if isinstance(error, REFUSALS) and str(error):
        return one_line(error)
    return f"{type(error).__name__}: {one_line(error)} (DECONDENSE_DEBUG=1 shows where)"


class JsonOfWrongUsage(TyperGroup):
    """The commands; with --json a wrong option is also said as JSON, like any other error."""

    def parse_args(self, ctx, args):
        ctx.meta["json"] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except Exception as error:
            if hasattr(error, "format_message"):  # of click, which typer carries along or not by its version
                failed(one_line(error.format_message()), error.exit_code, ctx.meta["json"])
            raise


def console(quiet: bool = False, as_json: bool = False) -> Console:
    """Where a command prints for people: nowhere with `--quiet` or `--json`. Rich obeys NO_COLOR by itself."""
    return Console(quiet=quiet or as_json)


def say(line: str, style: str = "") -> None:
    """One line on standard error, where it does not spoil the output; `silenced` does not reach it."""
    Console(file=_spoken_to.get() or sys.stderr).print(Text(printable(line), style=style), soft_wrap=True)


def show_progress(silent: bool) -> bool:
    """Whether to draw progress bars: on a terminal only. The libraries' own bars are told so too.

    What Transformers has to remark on a model is left out: what matters of it is an error of `models.load`.
    """
    show = sys.stderr.isatty() and not silent
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when transformers is imported
    if not show:
        os.environ |= {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        from transformers.utils import logging

        logging.disable_progress_bar()
    return show


@contextmanager
def silenced(quiet: bool = True) -> Iterator[None]:
    """Nothing on standard error but the lines of `say`: no progress bars, no warnings."""
    if not quiet:
        yield
        return
    before = _spoken_to.set(sys.stderr)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            yield
    finally:
        _spoken_to.reset(before)


@contextmanager
def plainly() -> Iterator[None]:
    """Warnings as one line each on standard error, and nothing of any library on standard output."""

    def show(message, *_):
        print(f"warning: {one_line(message)}", file=sys.stderr)

    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield


def one_line(message) -> str:
    """An error or a warning without its line breaks, and without what a terminal would obey."""
    return printable(" ".join(str(message).split()))


def places(sources: str) -> tuple[str, ...]:
    """The names in a list like "local, hub"."""
    return tuple(place.strip() for place in sources.split(","))


def print_json(content: dict) -> None:
    """Print the one JSON object of `--json` to standard output."""
    typer.echo(json_text(content))


def json_text(content: dict) -> str:
    """JSON with plain lists for arrays; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_plain(content), indent=1, allow_nan=False)


def command_line() -> str:
    """The command line as it was given, for a report.

    Relative paths stay, normalised; of an absolute one only the last part, behind `PATH/TO`: its folders are nobody's
    business, and no model or data set has such a name. Other folders with the same last part get `PATH2/TO`, ...
    A folder here that is named like a known model is written with `./`, since elsewhere the name means that model.
    """
    words = [part for word in sys.argv[1:] for part in (word.split("=", 1) if word.startswith("--") else [word])]
    named: dict[str, list[str]] = {}
    shown = [_path(word, named) if os.path.isabs(word) or os.path.exists(word) else word for word in words]
    return printable(f"decondense {shlex.join(shown)}")


def _path(word: str, named: dict[str, list[str]]) -> str:
    """A path for others to read; `named` gathers the absolute ones by their last part."""
    from ..models import is_known

    path = os.path.normpath(word)
    if not os.path.isabs(path):
        dotted = word.startswith("./") and not path.startswith(".")
        return f"./{path}" if dotted or is_known(path) else path
    same = named.setdefault(os.path.basename(path), [])
    if path not in same:
        same.append(path)
    number = same.index(path) + 1
    return f"PATH{number if number > 1 else ''}/TO/{os.path.basename(path)}"


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array, or a number of numpy
        return _plain(value.tolist())
    return None if isinstance(value, float) and value - value != 0 else value
