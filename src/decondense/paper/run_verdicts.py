"""The rules that judge training runs: their differences, one interval a model; where they start; their check runs."""

from collections.abc import Sequence

import numpy as np

from ..condensation import Interval
from .verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED, Verdict, all_finite, by_count

BELOW_0, ABOVE_0 = (f"interval over seeds {side} 0 in every model (in some: partly)" for side in ("below", "above"))
MARGIN = 0.1
NOT_LOWER = f"no interval below 0, none that reaches below -{MARGIN:g}"
BEYOND = "interval of the spread from run to run below gain / (1.96 √2) in every model"
FIRST = "no later checkpoint above it; runs that start at 1, within the interval over texts, are left out"


def agrees(quantities: Sequence[str], agree: Sequence[bool]) -> Verdict:
    """Judge a check run, a quantity beside its record each: reproduced if all agree, else not, with those that do not.

    Never `partly`: one that disagrees says that the records are not what this code gives.
    """
    if len(quantities) == 0:
        return Verdict(NOT_TESTABLE, "nothing was compared")
    others = [name for name, yes in zip(quantities, agree, strict=True) if not yes]
    if not others:
        return Verdict(REPRODUCED, "every quantity within its tolerance")
    return Verdict(NOT_REPRODUCED, f"beyond the tolerance: {', '.join(others)}")


def starts_highest(start: Sequence[float], later: Sequence[float], high: Sequence[float]) -> Verdict:
    """Judge "a correlation is highest at the start" by the rule `FIRST`, on runs.

    later
        Highest value after the start.
    high
        Upper end of the interval of the start, over texts. Where it reaches 1 the start cannot be told from the highest
        value that there is: nothing could lie above it, so such a run is no evidence.

    reproduced: in all runs that are left. partly: in half of them. not testable here: none is left.
    """
    if len(start) and not np.isfinite([*start, *later, *high]).all():
        return Verdict(NOT_TESTABLE, "a value here is not finite, or the start has no interval")
    room = np.asarray(high) < 1
    tested, n = int(room.sum()), len(room)
    if tested == 0:
        return Verdict(NOT_TESTABLE, f"{n} of {n} start at 1, where nothing can lie above" if n else "no run")
    holds = int((np.asarray(later) <= np.asarray(start))[room].sum())
    return by_count(holds, tested, f"highest in {holds} of {tested} runs; {n - tested} more start at 1 and cannot tell")


def on_one_side(found: Sequence[Interval], sign: int) -> Verdict:
    """Judge "it is above 0" (`sign` 1, rule `ABOVE_0`) or "below 0" (-1, rule `BELOW_0`)."""
    if not all_finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    if all(low == high == 0 for low, high in found):
        return Verdict(NOT_TESTABLE, "the same in every seed: these items cannot tell")
    holds = sum(low > 0 if sign > 0 else high < 0 for low, high in found)
    against = sum(high < 0 if sign > 0 else low > 0 for low, high in found)
    why = f"{'above' if sign > 0 else 'below'} 0 in {holds} of {len(found)} models; the opposite in {against}"
    return by_count(holds, len(found), why, least=0.0)


def not_raised(found: Sequence[Interval], tolerance: float) -> Verdict:
    """Judge "it is raised by no more than the tolerance", in the same units.

    reproduced: every interval lies at or below it. not reproduced: one lies wholly above. Otherwise partly.
    """
    if not all_finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    below = sum(high <= tolerance for _, high in found)
    raised = sum(low > tolerance for low, _ in found)
    why = f"at most {tolerance:.3f} above in {below} of {len(found)} models, more in {raised}"
    return Verdict(REPRODUCED if below == len(found) else NOT_REPRODUCED if raised else PARTLY, why)


def not_lower(differences: Sequence[Interval]) -> Verdict:
    """Judge "this is not lower" by the rule `NOT_LOWER`.

    A difference is lower when its interval lies below 0, and cannot tell when it includes 0 and reaches below -0.1: a
    wide interval is no evidence that nothing falls. Every other one is not lower.

    reproduced: all are not lower. partly: some are not lower, and at most half are lower. not reproduced: more than
    half are lower, or some are and none is not. not testable here: nothing can tell.
    """
    if not all_finite(differences):
        return Verdict(NOT_TESTABLE, "needs models (from the hub: `--profile gpu`), and two texts or seeds of each")
    n, lower = len(differences), sum(high < 0 for _, high in differences)
    wide = sum(low < -MARGIN and high >= 0 for low, high in differences)
    why = f"of {n} differences {lower} below 0 beyond the uncertainty, {wide} too uncertain to tell"
    if wide == n:
        return Verdict(NOT_TESTABLE, why)
    if lower == wide == 0:
        return Verdict(REPRODUCED, why)
    return Verdict(PARTLY if lower + wide < n and 2 * lower <= n else NOT_REPRODUCED, why)


def beyond_spread(allowed: float, found: Sequence[Interval]) -> Verdict:
    """Judge "a gain of one run over another is more than runs differ by themselves" by the rule `BEYOND`.

    allowed
        The largest spread from run to run at which it would be (`table5.largest_spread`); `found` are intervals of it.

    reproduced: every interval lies below. not reproduced: one lies above. Otherwise these seeds cannot tell.
    """
    if not all_finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    why = f"spread in {'; '.join(f'[{low:.2f}, {high:.2f}]' for low, high in found)}, at most {allowed:.2f} allowed"
    if all(high < allowed for _, high in found):
        return Verdict(REPRODUCED, why)
    return Verdict(NOT_REPRODUCED if any(low > allowed for low, _ in found) else NOT_TESTABLE, why)
