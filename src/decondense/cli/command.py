"""What the commands of `decondense` share: how errors are said, and who gets which line of output.

Exit status: 0 all is well; 1 something that was run failed, or `doctor` found something missing; 2 bad input, or the
command could not begin; 130 Ctrl-C.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.text import Text
from typer.models import ArgumentInfo, OptionInfo

from ..base.settings import flag

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]

TextFiles = Annotated[
    list[Path] | None,
    typer.Option("--texts", metavar="FILE", help="A UTF-8 file: one text; .jsonl: one a line, as `text`. Repeatable."),
]
Dataset = Annotated[
    str | None, typer.Option(metavar="NAME", help="Texts by name: wikitext-2, ...; documentation if not given.")
]
N = Annotated[
    int | None, typer.Option("--n", min=1, help="Texts to take: 10 of a data set, all of the files if not given.")
]
TextSeed = Annotated[int, typer.Option(min=0, help="Seed of the first text drawn from a data set.")]
Tokenizer = Annotated[str | None, typer.Option(metavar="MODEL", help="Cut the texts with the tokenizer of this model.")]
Length = Annotated[int, typer.Option(min=2, help="Texts are cut to so many tokens.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the report, figures and numbers here.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...: chosen when not given.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
Sources = Annotated[str, typer.Option(help="Where models and texts may come from.")]
Terms = Annotated[bool, typer.Option("--accept-terms", help="Accept a mirror's licence terms.")]

SOURCES = ("local", "hub", "pypi")  # those of `models`, here without torch
ANYWHERE = ",".join(SOURCES)

_NOT_SAID = ("quiet", "as_json")
_spoken_to: ContextVar[TextIO | None] = ContextVar("standard error as it was before it was silenced", default=None)


def said_plainly(command: Callable) -> Callable:
    """Print an error that has a message as one red line and exit with 2, unless DECONDENSE_DEBUG is set.

    Ctrl-C exits with 130. With `quiet` nothing else is printed to standard error.
    """

    @wraps(command)
    def run(*args, **kwargs):
        try:
            with silenced(kwargs.get("quiet", False)):
                return command(*args, **kwargs)
        except typer.Exit:  # a RuntimeError too
            raise
        except KeyboardInterrupt:
            say("Interrupted.", "yellow")
            raise typer.Exit(130) from None
        except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
            if flag("DECONDENSE_DEBUG") or not str(error):
                raise
            say(f"error: {' '.join(str(error).split())}", "red")
            raise typer.Exit(2) from None

    return run


def console(quiet: bool = False, as_json: bool = False) -> Console:
    """Where a command prints for people: nowhere with `--quiet` or `--json`. Rich obeys NO_COLOR by itself."""
    return Console(quiet=quiet or as_json)


def say(line: str, style: str = "") -> None:
    """One line on standard error, where it does not spoil the output; `silenced` does not reach it."""
    Console(file=_spoken_to.get() or sys.stderr).print(Text(line, style=style), soft_wrap=True)


def spare_the_hub(models: Sequence[str | None], sources: str, dataset: str | None = None) -> None:
    """Where the hub may be asked for a model or a data set but does not answer, say so once: its client would try for
    a minute.
    """
    from .readiness import hub_refusal, place_of_dataset

    here = lambda name: Path(name).exists() or name.startswith("pocket-") or name.endswith(".npz")
    asked = [name for name in models if name and not here(name)]
    asked += [dataset] if dataset and place_of_dataset(dataset, places(sources)) == "hub" else []
    if asked and "hub" in places(sources) and not flag("HF_HUB_OFFLINE") and (why := hub_refusal()):
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}  # read when the libraries are imported
        say(f"The Hugging Face hub cannot be had ({why}). What is in its cache is used.", "yellow")


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
    """Nothing on standard error but what is said by `say`: no progress bars, no warnings."""
    if not quiet:
        yield
        return
    before = _spoken_to.set(sys.stderr)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            yield
    finally:
        _spoken_to.reset(before)


def places(sources: str) -> tuple[str, ...]:
    """The names in a list like "local, hub"."""
    return tuple(place.strip() for place in sources.split(","))


def print_json(content: dict) -> None:
    """Print the one JSON object of `--json` to standard output."""
    typer.echo(json_text(content))


def json_text(content: dict) -> str:
    """JSON with plain lists for arrays; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_plain(content), indent=1, allow_nan=False)


def again(command: Callable, given: dict) -> str:
    """The command line that gives a command the arguments `given`, for a report; paths without their folders.

    Options that are as they would be anyway are left out, and so are --quiet and --json.
    """
    words = []
    for name, parameter in signature(command).parameters.items():
        value = given[name]
        if name in _NOT_SAID or value is None or value == parameter.default:
            continue
        flags = _flags(name, parameter.annotation.__metadata__[0])
        for item in value if isinstance(value, list) else [value]:
            words += flags if item is True else [*flags, _without_folder(item)]
    return f"decondense {command.__name__} {shlex.join(words)}"


def _flags(name: str, said: OptionInfo | ArgumentInfo) -> list[str]:
    if isinstance(said, ArgumentInfo):
        return []
    declared = (said.default, *(said.param_decls or ()))  # inside Annotated, the first one stands as the default
    own = [flag for flag in declared if isinstance(flag, str) and flag.startswith("--")]
    return [*own, f"--{name.replace('_', '-')}"][:1]


def _without_folder(item) -> str:
    return Path(item).name if isinstance(item, Path) or Path(str(item)).exists() else str(item)


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array, or a number of numpy
        return _plain(value.tolist())
    return None if isinstance(value, float) and value - value != 0 else value
