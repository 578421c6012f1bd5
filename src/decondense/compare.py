"""Paper against here: claims, the rules that judge them, and the verdicts that the scorecard gathers.

A rule is a function from numbers to a verdict and its reason; no verdict is written by hand.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from .condensation import Interval
from .files import write_atomically
from .records import Record, folder

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "partly", "not reproduced", "not testable here"


class Verdict(NamedTuple):
    """One of the four verdicts, and in one sentence why."""

    verdict: str
    why: str


class Claim(NamedTuple):
    """One row of *paper against here*."""

    claim: str
    source: str  # figure or table of the paper
    published: str  # with its error
    here: str  # with its uncertainty
    tolerance: str  # what the rule asks
    verdict: str
    why: str


FALLS = "the 95 % interval of the largest lies below that of the smallest; `reproduced` if no step rises"


def falls_with_size(values: Sequence[float], intervals: Sequence[Interval]) -> Verdict:
    """Judge "larger model of a family, lower value" on values in the order of size, by the rule `FALLS`.

    reproduced: the interval of the largest lies below that of the smallest, and no step rises. partly: the intervals
    are apart, but a step rises in between. not reproduced: the intervals overlap, or lie the other way round.
    not testable here: fewer than two sizes, or a value that is not finite.
    """
    if len(values) < 2 or not np.isfinite(values).all() or not np.isfinite(intervals).all():
        return Verdict(NOT_TESTABLE, "needs at least two sizes with finite values and intervals")
    rises = int((np.diff(values) > 0).sum())
    if intervals[-1][1] >= intervals[0][0]:
        how = "rises" if intervals[-1][0] > intervals[0][1] else "does not fall beyond its uncertainty"
        return Verdict(NOT_REPRODUCED, f"from the smallest to the largest it {how}")
    if rises:
        return Verdict(PARTLY, f"largest below smallest, but {rises} of {len(values) - 1} steps rise")
    return Verdict(REPRODUCED, "every step falls, and the ends are apart")


def within(here: Sequence[float], published: Sequence[float], tolerance: float) -> Verdict:
    """Judge values of the same models: reproduced if all lie within `tolerance` of the published, partly if half do."""
    if len(here) == 0:
        return Verdict(NOT_TESTABLE, "the models cannot be had in this profile")
    apart = np.abs(np.asarray(here) - np.asarray(published))
    close = int((apart <= tolerance).sum())
    why = f"{close} of {len(apart)} within {tolerance:g}; largest difference {apart.max():.3f}"
    if close == len(apart):
        return Verdict(REPRODUCED, why)
    return Verdict(PARTLY if 2 * close >= len(apart) else NOT_REPRODUCED, why)


def same_order(tables: dict[str, Sequence[float]], threshold: float = 0.5) -> Verdict:
    """Judge "the trend over models does not depend on the text": Kendall's tau-b of the models' values, text by text.

    `tables` gives for each text the values of the same models. reproduced: the order of the models is the same for
    every pair of texts (tau-b = 1). partly: the smallest tau-b of a pair is at least `threshold`.
    """
    rows = list(tables.values())
    if len(rows) < 2 or len(rows[0]) < 2:
        return Verdict(NOT_TESTABLE, "needs two texts and two models")
    pairs = [kendalltau(a, b).statistic for i, a in enumerate(rows) for b in rows[i + 1 :]]
    if not np.isfinite(pairs).all():
        return Verdict(NOT_TESTABLE, "on some text all models have the same value, so they have no order")
    lowest = min(pairs)
    why = f"smallest agreement of two texts on the order of {len(rows[0])} models: tau-b {lowest:.2f}"
    if lowest > 1 - 1e-9:
        return Verdict(REPRODUCED, why)
    return Verdict(PARTLY if lowest >= threshold else NOT_REPRODUCED, why)


def number(value: float, interval: Interval | None = None, error: float | None = None) -> str:
    """A number as the tables show it: `0.39 [0.31, 0.44]` with an interval, `0.385 ± 0.002` with an error."""
    if interval is not None and np.isfinite(interval).all():
        return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
    return f"{value:.3f} ± {error:g}" if error is not None else f"{value:.2f}"


def save(notebook: str, profile: str, claims: Sequence[Claim], records: Sequence[Record] = ()) -> Path:
    """Write the verdicts of a notebook (`02_fig2_model_families`) for the scorecard, with the records they rest on."""
    content = {
        "notebook": notebook,
        "profile": profile,
        "claims": [claim._asdict() for claim in claims],
        "records": sorted({record.path.name for record in records}),
    }
    path = folder() / f"verdicts-{notebook.split('_')[1]}.json"
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


def show(claims: Sequence[Claim]):
    """The claims as a styled table for a notebook: one row a claim, the verdict as a badge."""
    frame = pd.DataFrame([claim._asdict() for claim in claims])
    slug = {NOT_TESTABLE: "verdict-not-testable"}
    frame["verdict"] = [
        f'<span class="verdict {slug.get(v, "verdict-" + v.replace(" ", "-"))}">{v}</span><br><small>{why}</small>'
        for v, why in zip(frame.pop("verdict"), frame.pop("why"), strict=True)
    ]
    return frame.style.hide(axis="index")
