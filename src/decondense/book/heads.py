"""The box at the head of a page: the claim, the verdict of this run, a figure, and what would change our mind.

`heads.toml` has a table for each notebook; the verdicts are those that the page has saved (`claims.save`), the figure
is a named one of its own cells, small, and leads to that cell.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

import nbformat

from ..base.errors import unknown
from ..paper.claims import badge
from . import gallery
from .numbers import chosen, plain
from .pages import NO_NUMBER
from .profiles import notebook_id

KINDS = {"paper": "The paper's claim", "audit": "An audit of the paper", "own": "This book's own question"}
KEYS = {"kind", "claim", "verdicts", "figure", "change"}  # and `part`, which may be left out


@cache
def table() -> dict[str, dict]:
    """The tables of `heads.toml` by the short name of the notebook."""
    return tomllib.loads((Path(__file__).parent / "heads.toml").read_text(encoding="utf-8"))


def add(
    notebook: nbformat.NotebookNode, name: str, verdicts: Mapping[str, dict], folder: Path
) -> nbformat.NotebookNode:
    """Put the box under the first heading of an executed notebook, in place, and return the notebook.

    verdicts
        Verdict files by the name of their notebook (`scorecard.read_verdicts`).
    folder
        Where the book has the notebook: the figure is written to `heads/` there.

    Raises
        ValueError: the notebook has no table in `heads.toml`, or an incomplete one; no verdict, or none that the table
            asks for; no such figure, or its cell has drawn nothing.
    """
    head = chosen("notebook in heads.toml", notebook_id(name), table())
    if missing := KEYS - head.keys():
        raise ValueError(f"heads.toml: the table [{notebook_id(name)}] lacks {', '.join(sorted(missing))}.")
    if name not in verdicts:
        raise ValueError(f"{name} has no verdict. Its last section must call `claims.save`.")
    picture = figure(notebook, name, head["figure"], folder / "heads")
    heading = notebook.cells[0]
    title, _, rest = heading.source.partition("\n")
    heading.source = f"{title}\n\n{box(head, decided(head, name, verdicts[name]), picture)}\n\n{rest.lstrip()}".rstrip()
    return notebook


def decided(head: Mapping[str, object], name: str, file: Mapping[str, object]) -> list[dict]:
    """The claims of a verdict file that the table asks for, each once and in its order.

    Raises
        ValueError: there is none.
    """
    named = {f"{claim['claim']} ({claim['source']})": claim for claim in file["claims"]}
    found = {name: claim for wanted in head["verdicts"] for name, claim in named.items() if re.match(wanted, name)}
    if not found:
        raise unknown(f"verdict of {name}, which heads.toml asks for:", " | ".join(head["verdicts"]), named)
    return list(found.values())


def figure(notebook: nbformat.NotebookNode, name: str, wanted: str, folder: Path) -> str:
    """Write the figure of that name to the folder, and return its `<img>`, in a link to the cell that drew it.

    Raises
        ValueError: no cell has a figure of that name, or the cell has drawn nothing.
    """
    cell = chosen(f"figure of {name}, which heads.toml asks for:", wanted, gallery.named(notebook))
    drawn = gallery.picture(cell)
    if drawn is None:
        raise ValueError(
            f"{name}: the figure {wanted} was not drawn. Run the notebook again, or name another in heads.toml."
        )
    path = folder / f"{wanted}{drawn[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn[1])
    about = cell.metadata.mystnb.get("image", {}).get("alt") or cell.metadata.mystnb.figure.caption
    return f'<a href="#{wanted}"><img src="{folder.name}/{path.name}" alt="{escape(" ".join(about.split()))}"></a>'


def box(head: Mapping[str, str], claims: list[dict], picture: str) -> str:
    """The box as an admonition of MyST."""
    found = "\n".join(_verdict(claim, head.get("part", "")) for claim in claims)
    kind = chosen("kind in heads.toml", head["kind"], KINDS)
    parts = [picture, head["claim"], found, f"**What would change our mind:** {head['change']}"]
    return "\n\n".join([f"::::{{admonition}} {kind}\n:class: head", *parts, "::::"])


def _verdict(claim: Mapping[str, str], part: str) -> str:
    """An item of a list: the verdict, the claim as it was tested, what was found, what the paper has."""
    parts = claim["here"].split("; ")
    here = "; ".join([one for one in parts if one.startswith(part)] or parts)
    published = "" if claim["published"] in NO_NUMBER else f" Paper: {plain(claim['published'])}."
    return f"- {badge(claim['verdict'])} *{plain(claim['claim'])}*: {plain(here)}.{published}"
