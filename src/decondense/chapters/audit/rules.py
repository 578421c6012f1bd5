"""The rules that judge the audit's checks: from counts, gains and p-values to a verdict and its reason."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...paper.accuracies import TASKS
from ...paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Verdict, by_count, graded
from . import tables

WITHIN_ROUNDING = "some values within rounding"
ITEMS = "gain above 1.96 errors of a difference on other items"
PERMUTATION = "permutation p of rho and tau below 0.05; partly: the last below the first"
ALPHA = 0.05


def counted(holds: int, of: int, what: str) -> Verdict:
    """Judge "this holds for each": reproduced for all, partly for half of them or more."""
    if of == 0:
        return Verdict(NOT_TESTABLE, "nothing can be told")
    return by_count(holds, of, f"{holds} of {of} {what}")


def all_consistent(outcomes: Sequence[str] | pd.Series) -> Verdict:
    """`counted` over outcomes of a check; those that cannot be told are left out and named."""
    outcomes = list(outcomes)
    told = [o for o in outcomes if o != tables.OPEN]
    verdict = counted(told.count(tables.CONSISTENT), len(told), "consistent")
    left = len(outcomes) - len(told)
    return verdict._replace(why=f"{verdict.why}; {left} cannot be told") if left and told else verdict


def judge_gain(gain: float, error: float, flips: float, n_items: int) -> Verdict:
    """Judge "the average also gains on other items" when the answers item by item are not published.

    gain, error
        Of the ten-task average, in points; the error is unpaired.
    flips
        Share of flips up to which the gain is 1.96 paired errors. The share is at least the gain itself, if all
        flips go one way.

    reproduced: above 1.96 unpaired errors, so with any pairing that does not make it worse. not reproduced: below 1.96
    paired errors even with the fewest flips. Otherwise it hangs on a share that is not published.
    """
    if gain > 1.96 * error:
        return Verdict(REPRODUCED, f"{gain / error:.1f} unpaired errors")
    fewest = max(gain / 100, 0.0)
    if gain <= 0 or gain < 196 * np.sqrt(fewest / (n_items * len(TASKS))):
        return Verdict(NOT_REPRODUCED, "too small whatever the share of items that flip")
    why = f"{gain / error:.1f} unpaired errors; paired, if at most {flips:.1%} of the items flip: not published"
    return Verdict(NOT_TESTABLE, why)


def judge_fall(p: Sequence[float], falls: bool) -> Verdict:
    """Judge "it falls along the series" by the rule `PERMUTATION`; `p` at the least favourable ends of the errors."""
    worst = max(p)
    why = f"p = {worst:.2g}" + ("" if falls else "; the last is not below the first")
    return graded(worst < ALPHA and falls, falls, why)
