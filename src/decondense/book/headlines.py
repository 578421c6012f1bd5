"""The paper in seven claims (headlines.toml): what it has, what was found here, the verdict, what would be seen."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

from ..paper.claims import badge
from ..stats import POWER
from . import numbers, tables

HEAD = ("the paper's claim", "verdict", "here", "paper", f"seen with {POWER:.0%} power")
FOUND = re.compile(r"(.+) find (\S+) with a chance of \d+%")  # power as `paper.claims` writes it


@cache
def table() -> list[dict]:
    """The claims in their order: `says`, and `claims`, each with `page`, `claim`, `of` and maybe `part`."""
    return tomllib.loads((Path(__file__).parent / "headlines.toml").read_text(encoding="utf-8"))["headline"]


def shown(verdicts: Mapping[str, dict], committed: Mapping[str, dict]) -> str:
    """The claims as a table: those of this run, and in their absence those of the committed one, which are marked.

    Raises
        ValueError: a claim that neither run has.
    """
    if not committed:
        return numbers.NO_RUN
    rows = []
    for headline in table():
        wanted = headline["claims"]
        said = f'<td rowspan="{len(wanted)}">{escape(headline["says"])}</td>'
        cells = [_cells(one, verdicts, committed) for one in wanted]
        rows += [f"<tr>{said if not i else ''}{row}</tr>" for i, row in enumerate(cells)]
    return tables.table("headlines", HEAD, rows)


def _cells(wanted: Mapping[str, str], verdicts: Mapping[str, dict], committed: Mapping[str, dict]) -> str:
    name, mark = f"{wanted['page']}: {wanted['claim']}", ""
    try:
        found = numbers.claim(name, verdicts)
    except ValueError:
        found, mark = numbers.claim(name, committed), "<br><small>the committed run</small>"
    link = f'<a href="../notebooks/{found["notebook"]}.html">{escape(found["source"])}</a>'
    parts = numbers.part(found["here"], wanted.get("part", "")).split("; ")
    here = "<br>".join([f"<i>{escape(wanted['of'])}</i>", *(escape(short(part)) for part in parts)])
    paper = f"{escape(short(found['published']))}<br><small>{link}</small>"
    cells = (badge(found["verdict"]) + mark, here, paper, escape(seen(found["power"])))
    return "".join(f"<td>{cell}</td>" for cell in cells)


def short(numbers: str) -> str:
    """A series of numbers by its ends, `0.95 → … → -0.24`, without the error that all its members have."""
    return re.sub(r"→ .* →", "→ … →", re.sub(r", each ± [\d.]+", "", numbers))


def seen(power: str) -> str:
    """Power in short: `5 seeds find 0.54 with a chance of 80%` as `0.54 (5 seeds)`; other words as they are."""
    found = [FOUND.fullmatch(part) for part in power.split("; ")]
    if not all(found):
        return power
    units = dict.fromkeys(match[1] for match in found)
    return "; ".join(f"{', '.join(match[2] for match in found if match[1] == unit)} ({unit})" for unit in units)
