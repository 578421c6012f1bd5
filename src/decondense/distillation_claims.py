"""Fig. 5: does distillation lower rho and tau? The published pairs, the measured ones, students and their teacher."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from . import compare, distillation, paper
from .compare import METRICS, Claim
from .condensation import Condensation, Interval
from .verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED, Verdict

MARGIN = 0.1
NOT_LOWER = f"no interval below 0, none that reaches below -{MARGIN:g}"


class Pair(NamedTuple):
    """A model of Fig. 5 before and after it was distilled: our short names, and the figure's."""

    size: str
    plain: str
    distilled: str
    published_plain: str
    published_distilled: str


PAIRS = [
    Pair(size, plain.lower(), f"deepseek-r1-distill-qwen-{size.lower()}", plain, f"DeepSeek-R1-Distill-{plain}")
    for size, plain in {
        "1.5B": "Qwen2.5-Math-1.5B",
        "7B": "Qwen2.5-Math-7B",
        "14B": "Qwen2.5-14B",
        "32B": "Qwen2.5-32B",
    }.items()
]


def not_lower(differences: Sequence[Interval]) -> Verdict:
    """Judge "this is not lower" on intervals of the differences, by the rule `NOT_LOWER`.

    A difference is lower when its interval lies below 0, and cannot tell when it includes 0 and reaches below -0.1: a
    wide interval is no evidence that nothing falls.

    reproduced: none of either. partly: some, but at most half are lower. not reproduced: more than half are lower. not
    testable here: none at all, an interval that is not finite, or all of them cannot tell.
    """
    if len(differences) == 0 or not np.isfinite(differences).all():
        return Verdict(NOT_TESTABLE, "the models cannot be had in this profile, or there is no interval")
    lower = sum(high < 0 for _, high in differences)
    wide = sum(low < -MARGIN and high >= 0 for low, high in differences)
    why = f"of {len(differences)} differences {lower} below 0 beyond the uncertainty, {wide} too uncertain to tell"
    if wide == len(differences):
        return Verdict(NOT_TESTABLE, why)
    if lower == wide == 0:
        return Verdict(REPRODUCED, why)
    return Verdict(PARTLY if 2 * lower <= len(differences) else NOT_REPRODUCED, why)


def lower(difference: Interval) -> Verdict:
    """Judge "this is lower": reproduced when the whole interval of the difference lies below 0; never `partly`."""
    if not np.isfinite(difference).all():
        return Verdict(NOT_TESTABLE, "needs at least two seeds")
    if difference[1] < 0:
        return Verdict(REPRODUCED, "the interval lies below 0")
    return Verdict(NOT_REPRODUCED, "the interval includes 0" if difference[0] <= 0 else "the interval lies above 0")


def published() -> pd.DataFrame:
    """Fig. 5b as numbers, a row a size and metric: not distilled, distilled, their difference, and `error`, its bound.

    The error is that of reading two points off the figure; the paper gives no uncertainty over texts.
    """
    rows = []
    for symbol, metric, _ in METRICS.values():
        points = paper.trend("Fig5", metric, "Qwen2.5 distillation").set_index("model")
        for pair in PAIRS:
            before, after = points.loc[pair.published_plain], points.loc[pair.published_distilled]
            difference, error = after.value - before.value, after.error + before.error
            rows.append((symbol, pair.size, before.value, after.value, difference, error))
    return pd.DataFrame(rows, columns=["metric", "size", "not distilled", "distilled", "difference", "error"])


def measured(results: Sequence[Condensation]) -> dict[str, list[Condensation]]:
    """The pairs of which both models were measured: {size: [not distilled, distilled]}."""
    found = {result.name: result for result in results}
    return {p.size: [found[p.plain], found[p.distilled]] for p in PAIRS if {p.plain, p.distilled} <= set(found)}


def pair_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Two claims on the models of the paper, rho and tau: the distilled one of a pair is not lower.

    Differences are taken text by text (`compare.paired_differences`). The published ones go through the same rule, with
    the error of reading the figure as the interval.
    """
    claims, there = [], published().set_index("metric")
    for symbol, _, statistic in METRICS.values():
        rows = there.loc[symbol]
        by_reading = [Interval(d - e, d + e) for d, e in zip(rows["difference"], rows["error"], strict=True)]
        values = "; ".join(f"{size} {d:+.3f}" for size, d in zip(rows["size"], rows["difference"], strict=True))
        values += f", each ± {rows['error'].max():g} (by this rule: {not_lower(by_reading).verdict})"
        found = {size: compare.paired_differences(pair, statistic)[0] for size, pair in measured(results).items()}
        here = "; ".join(f"{size} [{low:+.3f}, {high:+.3f}]" for size, (low, high) in found.items()) or "none of them"
        verdict = not_lower(list(found.values()))
        claims.append(Claim(f"distilled models: {symbol} not lower", "Fig. 5b", values, here, NOT_LOWER, *verdict))
    return claims


def profile_distance(student: Float[np.ndarray, "entries"], teacher: Float[np.ndarray, "others"]) -> float:
    """Mean over the student's entries 1..L of |mu of the student - mu of the teacher's matched entry|, in [0, 1].

    Matched as `distillation.matched_entries` says.
    """
    matched = distillation.matched_entries(len(student) - 1, len(teacher) - 1)
    return float(np.mean([abs(student[ours] - teacher[theirs]) for ours, theirs in matched.items()]))
