"""What the commands of `decondense` share: how errors are said, and who gets which line of output.

Exit status: 0 all is well; 1 something that was run failed; 2 bad input, or something is missing; 130 Ctrl-C.
"""

import json
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


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
            Console(stderr=True).print(Text("Interrupted.", style="yellow"))
            raise typer.Exit(130) from None
        except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
            if os.environ.get("DECONDENSE_DEBUG") or not str(error):
                raise
            Console(stderr=True).print(Text(f"error: {error}", style="red"), soft_wrap=True)
            raise typer.Exit(2) from None

    return run


def console(quiet: bool = False, as_json: bool = False) -> Console:
    """Where a command prints for people: nowhere with `--quiet` or `--json`. Rich obeys NO_COLOR by itself."""
    return Console(quiet=quiet or as_json)


def print_json(content: dict) -> None:
    """Print the one JSON object of `--json` to standard output; NaN, which JSON lacks, becomes null."""
    typer.echo(json.dumps(_plain(content), indent=1, allow_nan=False))


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array, or a number of numpy
        return _plain(value.tolist())
    return None if isinstance(value, float) and value - value != 0 else value
