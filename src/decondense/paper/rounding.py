"""What a printed value stands for: every value that rounds to it; and checks that hold where some of them satisfy it.

A printed value is a closed interval of half a unit of its last digit. A check holds (`CONSISTENT`) when some values
within these intervals satisfy it.
"""

from collections.abc import Iterable

import numpy as np

from ..stats import Interval
from .verdicts import Verdict, exact

CONSISTENT = "consistent"
INCONSISTENT = "not consistent for any value within rounding"
OPEN = "cannot be told"

HALF = 0.05  # half a unit of the last digit of the tables' accuracies, spreads and ranks
WITHIN_ROUNDING = "some values within rounding"  # the rule of a claim
BEYOND = "beyond rounding"


def rounded(value: float, decimals: int) -> Interval:
    """The values that print as `value` with so many decimals, ends included."""
    half = 0.5 * 10.0**-decimals
    return Interval(value - half, value + half)


def outcome(a: Interval, b: Interval) -> str:
    """`CONSISTENT` where two intervals meet, `INCONSISTENT` where they do not, `OPEN` where a bound is missing."""
    if np.isnan([*a, *b]).any():
        return OPEN
    return CONSISTENT if a[0] <= b[1] + 1e-9 and b[0] <= a[1] + 1e-9 else INCONSISTENT


def consistent(outcomes: Iterable[str], what: str) -> Verdict:
    """`exact` over outcomes of a check; those that rounding leaves open are not counted, and named."""
    outcomes = list(outcomes)
    told = [outcome for outcome in outcomes if outcome != OPEN]
    found, left = exact(told.count(CONSISTENT), len(told), what), len(outcomes) - len(told)
    return found._replace(why=f"{found.why}; {left} cannot be told") if left else found
