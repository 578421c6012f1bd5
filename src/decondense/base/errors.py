"""Errors that name the cure."""

from collections.abc import Iterable
from difflib import get_close_matches

INSTALL = 'python -m pip install -e ".[all,dev]" -c constraints.txt'  # zsh needs the quotes


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """A `ValueError` for a name that does not exist: the nearest known name first, then all of them.

    `kind` is what the name stands for ("model", "corpus", "profile", ...).
    """
    known = list(known)
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean {by_lower[near[0]]!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
