"""The rules that judge a claim: from numbers to a verdict and its reason. No verdict is written by hand.

An interval that touches 0 does not lie on one side of it. What is empty or not finite is not testable here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from ..condensation import Condensation
from ..stats import Interval

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "partly", "not reproduced", "not testable here"
BADGES = {  # verdict -> CSS class of its badge (book/_static/book.css)
    REPRODUCED: "verdict-reproduced",
    PARTLY: "verdict-partly",
    NOT_REPRODUCED: "verdict-not-reproduced",
    NOT_TESTABLE: "verdict-not-testable",
}
FALLS = "95 % interval of largest - smallest below 0; no step's interval above 0 (else: partly)"
BELOW_0, ABOVE_0 = (f"interval over seeds {side} 0 in every model (in some: partly)" for side in ("below", "above"))
MARGIN = 0.1
NOT_LOWER = f"no interval below 0, none that reaches below -{MARGIN:g}"
BEYOND = "interval of the spread from run to run below gain / (1.96 √2) in every model"
FIRST = "no later checkpoint above it; runs that start at 1, within the interval over texts, are left out"


class Verdict(NamedTuple):
    """One of the four words of `BADGES`, and in one sentence why."""

    word: str
    why: str


def graded(whole: bool | np.bool_, part: bool | np.bool_, why: str) -> Verdict:
    """reproduced if the whole claim holds; partly if a part of it does; else not reproduced."""
    return Verdict(REPRODUCED if whole else PARTLY if part else NOT_REPRODUCED, why)


def by_count(holds: int | np.integer, of: int, why: str, least: float = 0.5) -> Verdict:
    """reproduced if it holds for all; partly if for this share of them at least, and for one; else not reproduced."""
    return graded(holds == of, holds > 0 and holds >= least * of, why)


def _finite(values: Sequence) -> bool:
    """Whether there are any, and all are finite."""
    return len(values) > 0 and bool(np.isfinite(values).all())


# --- values, one a model or run -------------------------------------------------------------------------------------


def within(here: Sequence[float], published: Sequence[float], tolerance: float) -> Verdict:
    """Judge values of the same models: reproduced if all lie within `tolerance` of the published, partly if half do."""
    if len(here) == 0:
        return Verdict(NOT_TESTABLE, "not measured in this profile; a larger one has the models (`--profile gpu`)")
    if not _finite(here):
        return Verdict(NOT_TESTABLE, "a value here is not finite")
    apart = np.abs(np.asarray(here) - np.asarray(published))
    close = int((apart <= tolerance).sum())
    why = f"{close} of {len(apart)} within {tolerance:g}; largest difference {apart.max():.3f}"
    return by_count(close, len(apart), why)


def all_below(here: Sequence[float], bound: Sequence[float]) -> Verdict:
    """Judge "each of these is at most its bound": reproduced for all, partly for half of them or more."""
    if len(here) == 0:
        return Verdict(NOT_TESTABLE, "nothing was measured")
    if not _finite(here):
        return Verdict(NOT_TESTABLE, "a value here is not finite")
    below = int((np.asarray(here) <= np.asarray(bound)).sum())
    return by_count(below, len(here), f"{below} of {len(here)} at or below the bound")


def all_above(here: Sequence[float], bound: float = 0.0) -> Verdict:
    """Judge "each of these is above": strictly. reproduced for all, partly for half of them or more."""
    if not _finite(here):
        return Verdict(NOT_TESTABLE, "nothing was measured, or a value is not finite")
    above = int((np.asarray(here) > bound).sum())
    return by_count(above, len(here), f"{above} of {len(here)} above {bound:g}")


def starts_highest(start: Sequence[float], later: Sequence[float], high: Sequence[float]) -> Verdict:
    """Judge "a correlation is highest at the start" by the rule `FIRST`, on runs.

    later
        Highest value after the start.
    high
        Upper end of the interval of the start, over texts. Where it reaches 1 the start may be equal to the highest
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


def same_order(tables: dict[str, Sequence[float]]) -> Verdict:
    """Judge "the trend over models does not depend on the text": Kendall's tau-b of the models' values, text by text.

    `tables` gives for each text the values of the same models. reproduced: the order of the models is the same for
    every pair of texts (tau-b = 1). partly: the smallest tau-b of a pair is at least 0.5.
    """
    rows = list(tables.values())
    if len(rows) < 2 or len(rows[0]) < 2:
        return Verdict(NOT_TESTABLE, "needs two texts and two models")
    pairs = [kendalltau(a, b).statistic for i, a in enumerate(rows) for b in rows[i + 1 :]]
    if not _finite(pairs):
        return Verdict(NOT_TESTABLE, "on some text all models have the same value, so they have no order")
    lowest = min(pairs)
    why = f"smallest agreement of two texts on the order of {len(rows[0])} models: tau-b {lowest:.2f}"
    return graded(lowest > 1 - 1e-9, lowest >= 0.5, why)


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


# --- one interval ---------------------------------------------------------------------------------------------------


def is_positive(interval: Interval) -> Verdict:
    """Judge "this difference is above 0": reproduced when its whole interval is; never `partly`."""
    return _beyond_zero(interval, "above", "needs at least two texts")


def is_negative(interval: Interval) -> Verdict:
    """Judge "this is below 0" over seeds: reproduced when the whole interval is; never `partly`."""
    return _beyond_zero(interval, "below", "needs runs of at least two seeds")


def _beyond_zero(interval: Interval, side: str, needs: str) -> Verdict:
    if not _finite(interval):
        return Verdict(NOT_TESTABLE, needs)
    lies = "above" if interval[0] > 0 else "below" if interval[1] < 0 else None
    why = f"[{interval[0]:.3f}, {interval[1]:.3f}] {f'lies {lies}' if lies else 'includes'} 0"
    return graded(lies == side, False, why)


def is_zero(value: float, interval: Interval, tolerance: float) -> Verdict:
    """Judge "this does not change": reproduced when the whole interval of the change lies within the tolerance."""
    if not _finite(interval):
        return Verdict(NOT_TESTABLE, "needs at least two seeds")
    why = f"change in [{interval[0]:.4f}, {interval[1]:.4f}]"
    return graded(max(abs(interval[0]), abs(interval[1])) <= tolerance, abs(value) <= tolerance, why)


# --- intervals, one a model -----------------------------------------------------------------------------------------


def grows_with_depth(results: Sequence[Condensation]) -> Verdict:
    """Judge "mu grows with depth": the interval of rho above 0 in every model (`reproduced`) or in some (`partly`)."""
    lows = [r.rho_interval.low for r in results]
    if not _finite(lows):
        return Verdict(NOT_TESTABLE, "needs a trained model and at least two texts")
    positive = sum(low > 0 for low in lows)
    why = f"ρ above 0 beyond its interval in {positive} of {len(results)} models"
    return by_count(positive, len(results), why, least=0.0)


def on_one_side(found: Sequence[Interval], sign: int) -> Verdict:
    """Judge "it is above 0" (`sign` 1, rule `ABOVE_0`) or "below 0" (-1, rule `BELOW_0`)."""
    if not _finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    if all(low == high == 0 for low, high in found):
        return Verdict(NOT_TESTABLE, "the same in every seed: these items cannot tell")
    above, below = sum(low > 0 for low, _ in found), sum(high < 0 for _, high in found)
    holds, against = (above, below) if sign > 0 else (below, above)
    why = f"{'above' if sign > 0 else 'below'} 0 in {holds} of {len(found)} models; the opposite in {against}"
    return by_count(holds, len(found), why, least=0.0)


def not_raised(found: Sequence[Interval], tolerance: float) -> Verdict:
    """Judge "it is raised by no more than the tolerance", in the same units.

    reproduced: every interval lies at or below it. not reproduced: one lies wholly above. Otherwise partly.
    """
    if not _finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    below = sum(high <= tolerance for _, high in found)
    raised = sum(low > tolerance for low, _ in found)
    why = f"at most {tolerance:.3f} above in {below} of {len(found)} models, more in {raised}"
    return graded(below == len(found), raised == 0, why)


def not_lower(differences: Sequence[Interval]) -> Verdict:
    """Judge "this is not lower" by the rule `NOT_LOWER`.

    A difference is lower when its interval lies below 0, and cannot tell when it includes 0 and reaches below -0.1: a
    wide interval is no evidence that nothing falls. Every other one is not lower.

    reproduced: all are not lower. partly: some are not lower, and at most half are lower. not reproduced: more than
    half are lower, or some are and none is not. not testable here: nothing can tell.
    """
    if not _finite(differences):
        return Verdict(NOT_TESTABLE, "needs models (from the hub: `--profile gpu`), and two texts or seeds of each")
    n, lower = len(differences), sum(high < 0 for _, high in differences)
    wide = sum(low < -MARGIN and high >= 0 for low, high in differences)
    why = f"of {n} differences {lower} below 0 beyond the uncertainty, {wide} too uncertain to tell"
    if wide == n:
        return Verdict(NOT_TESTABLE, why)
    return graded(lower == wide == 0, lower + wide < n and 2 * lower <= n, why)


def beyond_spread(allowed: float, found: Sequence[Interval]) -> Verdict:
    """Judge "a gain of one run over another is more than runs differ by themselves" by the rule `BEYOND`.

    allowed
        The largest spread from run to run at which it would be (`table5.largest_spread`); `found` are intervals of it.

    reproduced: every interval lies below. not reproduced: one lies above. Otherwise these seeds cannot tell.
    """
    if not _finite(found):
        return Verdict(NOT_TESTABLE, "needs two seeds or more")
    why = f"spread in {'; '.join(f'[{low:.2f}, {high:.2f}]' for low, high in found)}, at most {allowed:.2f} allowed"
    if all(high < allowed for _, high in found):
        return Verdict(REPRODUCED, why)
    return Verdict(NOT_REPRODUCED if any(low > allowed for low, _ in found) else NOT_TESTABLE, why)


# --- intervals in an order, or of one against others ----------------------------------------------------------------


def falls_with_size(end: Interval, steps: Sequence[Interval]) -> Verdict:
    """Judge "larger model of a family, lower value" on differences between models, by the rule `FALLS`.

    end
        Interval of largest minus smallest.
    steps
        Intervals of each model minus the next smaller one.

    reproduced: `end` lies below 0 and no step above 0. partly: `end` lies below 0, a step above it. not reproduced:
    `end` includes 0 or lies above it. not testable here: fewer than two sizes, or an interval that is not finite.
    """
    if len(steps) == 0 or not _finite([end, *steps]):
        return Verdict(NOT_TESTABLE, "needs two sizes and, of each, two texts")
    rises = sum(step[0] > 0 for step in steps)
    between = f"largest - smallest in [{end[0]:.3f}, {end[1]:.3f}]"
    if end[1] >= 0:
        return Verdict(NOT_REPRODUCED, f"{'it rises' if end[0] > 0 else 'no fall beyond the uncertainty'}: {between}")
    if rises:
        return Verdict(PARTLY, f"{between}, but {rises} of {len(steps)} steps rise beyond their uncertainty")
    return Verdict(REPRODUCED, f"{between}, and no step rises beyond its uncertainty")


def falls_with_dose(differences: Sequence[Interval]) -> Verdict:
    """Judge "the more of it, the lower": intervals of the differences to no dose, in the order of the dose.

    reproduced: every interval lies below 0. partly: that of the largest dose does. not reproduced: it does not.
    """
    if not _finite(differences):
        return Verdict(NOT_TESTABLE, "needs a dose and at least two seeds")
    below = [high < 0 for _, high in differences]
    why = f"below no dose beyond the uncertainty for {sum(below)} of {len(below)} doses"
    return graded(all(below), below[-1], why)


def is_best(differences: Sequence[Interval], means: Sequence[float]) -> Verdict:
    """Judge "this one has the highest value": its differences to the others, with their intervals.

    reproduced: every interval lies above 0. partly: every mean difference is above 0, but not every interval. not
    reproduced: another one is as high or higher. not testable here: in most comparisons no item changed at all.
    """
    if not _finite(means) or not np.isfinite(differences).all():
        return Verdict(NOT_TESTABLE, "needs another condition, and items or seeds to resample")
    still = sum(low == high for low, high in differences)
    if 2 * still > len(differences):
        return Verdict(NOT_TESTABLE, f"in {still} of {len(differences)} comparisons no item changed: these cannot tell")
    ahead, clear = sum(mean > 0 for mean in means), sum(low > 0 for low, _ in differences)
    why = f"ahead of {ahead} of {len(means)} others, beyond the uncertainty of {clear}"
    return graded(clear == len(means), ahead == len(means), why)
