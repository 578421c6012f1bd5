"""Claims: what the paper says beside what was found here, each with a verdict; as a table, and for the scorecard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.files import write_atomically
from ..records import Record, folder
from ..stats import Interval
from .verdicts import BADGES, Verdict, agrees

OWN = "this book"  # source of a claim that is not the paper's
COLUMNS = ("verdict", "claim", "published", "here", "tolerance")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of *paper against here*.

    source
        Figure or table of the paper, or `OWN`.
    published, here
        What the paper has, with its error, and what was found here, with its uncertainty, as text.
    rule
        What the verdict asks for.
    """

    claim: str
    source: str = OWN
    published: str = "not stated"
    here: str
    rule: str
    verdict: Verdict

    def as_dict(self) -> dict[str, str]:
        """The claim as verdict files hold it, and as `cells` takes it."""
        said = {"claim": self.claim, "source": self.source, "published": self.published, "here": self.here}
        return said | {"tolerance": self.rule, "verdict": self.verdict.word, "why": self.verdict.why}


def save(
    notebook: str,
    profile: str,
    claims: Sequence[Claim],
    records: Sequence[Record] = (),
    numbers: Mapping[str, str] | None = None,
) -> Path:
    """Write the verdicts of a notebook (`02_fig2_model_families`) for the scorecard, with the records they rest on.

    numbers
        Name -> number as text, with its interval: those that the prose needs (`<!-- number fig2: NAME -->`) and no
        claim has.
    """
    content = {
        "notebook": notebook,
        "profile": profile,
        "claims": [claim.as_dict() for claim in claims],
        "records": sorted({record.path.name for record in records}),
    } | ({"numbers": dict(numbers)} if numbers else {})
    path = folder() / f"verdicts-{notebook.split('_')[1]}.json"
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


def show(claims: Sequence[Claim]):
    """The claims as a styled table for a notebook: one row a claim, the verdict as a badge."""
    frame = pd.DataFrame([cells(claim.as_dict()) for claim in claims], columns=list(COLUMNS))
    return frame.style.hide(axis="index").set_table_attributes('class="claims"')


def badge(verdict: str, count: int | None = None) -> str:
    """A verdict as a small coloured label with a sign of its own, so that colour is not needed to read it.

    With a `count` it shows that number, and the verdict as its tool tip.
    """
    if count is None:
        return f'<span class="verdict {BADGES[verdict]}">{verdict}</span>'
    return f'<span class="verdict {BADGES[verdict]}" title="{verdict}" aria-label="{count} {verdict}">{count}</span>'


def cells(claim: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a claim under `COLUMNS`: the verdict first, so that a narrow screen shows it."""
    said = {name: escape(str(value)) for name, value in claim.items()}
    return (
        badge(claim["verdict"]),
        f"{said['claim']}<br><small>{said['source']}</small>",
        said["published"],
        f"{said['here']}<br><small>{said['why']}</small>",
        said["tolerance"],
    )


# --- check runs -------------------------------------------------------------------------------------------------------


def check_claim(check: pd.DataFrame) -> Claim:
    """The claim on check runs (tables of `records.beside_record`, one below the other): every quantity agrees."""
    return Claim(
        claim="every check run agrees with its record",
        here=f"{check.agrees.sum()} of {len(check)}",
        rule="all",
        verdict=agrees(check.quantity.tolist(), check.agrees.tolist()),
    )


# --- numbers as text --------------------------------------------------------------------------------------------------


def chain(values: Sequence[float], intervals: Sequence[Interval]) -> str:
    """Numbers with their intervals in the order of size: `0.60 [0.55, 0.61] → 0.30 [0.28, 0.35]`."""
    return " → ".join(number(v, i) for v, i in zip(values, intervals, strict=True))


def numbers(values: Sequence[float]) -> str:
    """Several numbers as the tables show them: `0.385, -0.590`."""
    return ", ".join(f"{value:.3f}" for value in values)


def signed(differences: pd.Series) -> str:
    """Differences by name as the tables show them: `dispersion +0.66; l2_repel +0.47`."""
    return "; ".join(f"{name} {value:+.2f}" for name, value in differences.items())


def number(value: float, interval: Interval | None = None, error: float | None = None) -> str:
    """A number as the tables show it: `0.39 [0.31, 0.44]` with an interval, `0.385 ± 0.002` with an error."""
    if interval is not None and np.isfinite(interval).all():
        return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
    return f"{value:.3f} ± {error:g}" if error is not None else f"{value:.2f}"
