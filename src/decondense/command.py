"""What the commands of `decondense` share: how errors are said, and who gets which line of output.

Exit status: 0 all is well; 1 something that was run failed; 2 bad input, or something is missing; 130 Ctrl-C.
"""

import json
import os
import shlex
from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.models import ArgumentInfo, OptionInfo

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]

_NOT_SAID = ("quiet", "as_json")


def said_plainly(command: Callable) -> Callable:
    """Print an error that has a message as one red line and exit with 2, unless DECONDENSE_DEBUG is set.

    Ctrl-C exits with 130.
    """

    @wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except typer.Exit:  # a RuntimeError too
            raise
        except KeyboardInterrupt:
            say("Interrupted.", "yellow")
            raise typer.Exit(130) from None
        except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
            if os.environ.get("DECONDENSE_DEBUG") or not str(error):
                raise
            say(f"error: {' '.join(str(error).split())}", "red")
            raise typer.Exit(2) from None

    return run


def console(quiet: bool = False, as_json: bool = False) -> Console:
    """Where a command prints for people: nowhere with `--quiet` or `--json`. Rich obeys NO_COLOR by itself."""
    return Console(quiet=quiet or as_json)


def say(line: str, style: str = "") -> None:
    """One line on standard error, where it does not spoil the output."""
    Console(stderr=True).print(Text(line, style=style), soft_wrap=True)


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
