"""Errors that name the cure."""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

CLONE = Path(__file__).parents[3]  # that this package runs from, if it has the pins
INSTALL = 'python -m pip install -e ".[all,dev]" -c constraints.txt'  # zsh needs the quotes
MANY = 20  # names: more are not all printed where there is another way to list them


def installs(*extras: str) -> str:
    """The command that adds extras to this installation: with the pins where it runs from a clone, which has them."""
    wanted = f"[{','.join(extras)}]"
    if not (CLONE / "constraints.txt").is_file():
        return f"python -m pip install 'decondense{wanted}'"
    if Path.cwd() == CLONE:
        return f"python -m pip install -e '.{wanted}' -c constraints.txt"
    return f"python -m pip install -e {shlex.quote(f'{CLONE}{wanted}')} -c {shlex.quote(f'{CLONE}/constraints.txt')}"


def unknown(kind: str, name: object, known: Iterable[str], listed: str = "") -> ValueError:
    """A `ValueError` for a name that does not exist: the nearest known name first, then all of them.

    `kind` is what the name stands for ("model", "corpus", "profile", ...). With `listed`, which says how to list the
    known names, more than `MANY` are not printed, only up to three near ones.
    """
    known = list(known)
    many = bool(listed) and len(known) > MANY
    by_lower = {k.lower(): k for k in known}
    asked = str(name).lower()
    near = get_close_matches(asked, by_lower, n=1, cutoff=0.5)
    if many:
        near = get_close_matches(asked, by_lower, n=3, cutoff=0.75) or near
    near = [by_lower[n] for n in near]
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    rest = f"{len(known)} are known: {listed}." if many else f"Known: {', '.join(known)}."
    return ValueError(f"Unknown {kind} {name!r}.{hint} {rest}")


def printable(text: str) -> str:
    """The text with what does not print as escapes: control characters, line breaks, bytes of no character.

    Names of files and messages of libraries may hold sequences that a terminal obeys.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
