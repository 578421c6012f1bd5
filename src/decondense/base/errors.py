"""Errors that name the cure."""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

CLONE = Path(__file__).parents[3]  # that this package runs from, if it has the pins
INSTALL = 'python -m pip install -e ".[all,dev]" -c constraints.txt'  # zsh needs the quotes


def installs(*extras: str) -> str:
    """The command that adds extras to this installation: with the pins where it runs from a clone, which has them."""
    wanted = f"[{','.join(extras)}]"
    if not (CLONE / "constraints.txt").is_file():
        return f"python -m pip install 'decondense{wanted}'"
    if Path.cwd() == CLONE:
        return f"python -m pip install -e '.{wanted}' -c constraints.txt"
    return f"python -m pip install -e {shlex.quote(f'{CLONE}{wanted}')} -c {shlex.quote(f'{CLONE}/constraints.txt')}"


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """A `ValueError` for a name that does not exist: the nearest known name first, then all of them.

    `kind` is what the name stands for ("model", "corpus", "profile", ...).
    """
    known = list(known)
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean {by_lower[near[0]]!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
