"""Numbers in prose, put there by code: `<!-- number ID: NAME -->` in a page or in a notebook's Markdown.

The book shows there, in brackets, what the committed verdict file of the notebook ID has under NAME: an entry of its
`numbers` (`claims.save`), or else what was found for its one claim that begins so, with the verdict. The numbers are
those of the committed run in every profile, since the sentence around them was written about that run. Where a notebook
is read without the book, the comment is invisible: the sentence must be whole without it.
"""

import re
from collections.abc import Callable

import nbformat

from ..base.errors import unknown
from ..paper.claims import badge
from .profiles import notebook_id

COMMENT = re.compile(r"<!-- (\w+) (.+?) -->")
NO_RUN = "*no committed run has this: `decondense keep` makes one*"


def number(name: str, committed: dict[str, dict]) -> str:
    """` (0.39 [0.31, 0.44])` for the comment `ID: NAME`; behind the number of a claim stands its verdict.

    name
        `ID: NAME`, or `ID: NAME | PART` for the parts of a list of numbers that begin so.
    committed
        Verdict files by the name of their notebook (`scorecard.read_committed`).

    Raises
        ValueError: no such notebook; no such number, and not exactly one claim that begins so.
    """
    if not committed:
        return f" ({NO_RUN})"
    name, _, start = name.partition(" | ")
    short, _, key = name.partition(": ")
    stated = committed[_notebook(short, committed)].get("numbers", {})
    if key in stated:
        return f" ({plain(part(stated[key], start))})"
    found = claim(name, committed)
    return f" ({plain(part(found['here'], start))}; {badge(found['verdict'])})"


def part(found: str, start: str) -> str:
    """Of a list of numbers, `a 1; b 2`, the parts that begin with `start`.

    Raises
        ValueError: none does.
    """
    parts = found.split("; ")
    if not (wanted := [one for one in parts if one.startswith(start)]):
        raise unknown("part of a list of numbers", start, parts)
    return "; ".join(wanted)


def claim(name: str, committed: dict[str, dict]) -> dict[str, str]:
    """One claim of the committed run, and with it the name of its `notebook` and its `profile`.

    name
        `ID: CLAIM`: the short name of a notebook, and how the text of the claim begins, or all of it and `(SOURCE)`.

    Raises
        ValueError: no such notebook, or not exactly one claim that begins so.
    """
    short, _, start = name.partition(": ")
    notebook = _notebook(short, committed)
    claims = committed[notebook]["claims"]
    found = [claim for claim in claims if f"{claim['claim']} ({claim['source']})".startswith(start)]
    if len(found) != 1:
        known = [claim["claim"] for claim in claims] + list(committed[notebook].get("numbers", {}))
        raise unknown(f"claim of {short} ({len(found)} begin so)", start, known)
    return found[0] | {"notebook": notebook, "profile": committed[notebook]["profile"]}


def filled(text: str, kinds: dict[str, Callable[[str], str]]) -> str:
    """The text with what its kinds give in the place of the comments."""
    return COMMENT.sub(lambda found: chosen("kind of comment", found[1], kinds)(found[2]), text)


def filled_notebook(notebook: nbformat.NotebookNode, committed: dict[str, dict]) -> nbformat.NotebookNode:
    """The notebook with the numbers in its Markdown, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = filled(cell.source, {"number": lambda name: number(name, committed)})
    return notebook


def chosen(what: str, name: str, among: dict):
    """The entry of that name, or an error that lists the names."""
    if name not in among:
        raise unknown(what, name, among)
    return among[name]


def plain(text: str) -> str:
    """Text of a claim, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_$<>\[\]{}|#~])", r"\\\1", text)


def _notebook(short: str, committed: dict[str, dict]) -> str:
    return chosen("notebook with committed verdicts", short, {notebook_id(name): name for name in committed})
