"""The rules that judge a claim: from an interval and a number fixed before the run to one of five words.

No verdict is written by hand. The table of cases is in `word_of_effect`, `word_of_no_change` and `word_of_not_beyond`;
`judge` takes the tests of a page together, so that chance alone gives "reproduced" on one page in twenty at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import stats
from ..stats import ALPHA, LEVEL, Estimate, Interval

REPRODUCED, SMALLER, CONTRADICTED = "reproduced", "smaller than published", "contradicted"
CANNOT_TELL, NOT_TESTABLE, PARTLY = "cannot tell", "not testable here", "partly"
BADGES = {  # verdict -> CSS class of its badge (book/_static/book.css)
    REPRODUCED: "verdict-reproduced",
    PARTLY: "verdict-partly",
    SMALLER: "verdict-smaller",
    CONTRADICTED: "verdict-contradicted",
    CANNOT_TELL: "verdict-cannot-tell",
    NOT_TESTABLE: "verdict-not-testable",
}
LEAST_UNITS = 2  # below it there is no interval


class Verdict(NamedTuple):
    """One of the words of `BADGES`, and in one sentence why. `PARTLY` is a count over several items."""

    word: str
    why: str


# --- the cases --------------------------------------------------------------------------------------------------------


def word_of_effect(interval: Interval, smallest: float) -> str:
    """A claimed effect, by where its interval lies; `smallest`, the smallest that counts, has the sign of the claim.

    - Beyond 0 on the claimed side: reproduced where it reaches `smallest`, smaller than published where it falls short.
    - Holding 0, or on the other side: cannot tell where it reaches `smallest`, contradicted where it falls short.

    An interval that touches 0 holds it; one that touches `smallest` reaches it.
    """
    low, high = sorted(np.sign(smallest) * np.asarray(interval, dtype=float))
    if low > 0:
        return REPRODUCED if high >= abs(smallest) else SMALLER
    return CANNOT_TELL if high >= abs(smallest) else CONTRADICTED


def word_of_no_change(interval: Interval, margin: float) -> str:
    """A claim that nothing changes: reproduced within +-`margin`, contradicted outside, cannot tell across its edge."""
    low, high = interval
    if -margin <= low and high <= margin:
        return REPRODUCED
    return CONTRADICTED if low > margin or high < -margin else CANNOT_TELL


def word_of_not_beyond(interval: Interval, margin: float) -> str:
    """A claim that a change does not go as far as `margin`, which has a sign: reproduced short of it, else as above."""
    low, high = sorted(np.sign(margin) * np.asarray(interval, dtype=float))
    if high <= abs(margin):
        return REPRODUCED
    return CONTRADICTED if low > abs(margin) else CANNOT_TELL


# --- what a page asks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Test:
    """One question to the data, judged together with the others of its page.

    number
        Fixed before the run, in the units of the estimate: the smallest effect that counts, or a margin.
    reason
        Where the number comes from.
    nulls
        What the p-value is against: 0, or the edges of the margin.

    Raises
        ValueError: no number, or one of 0; fewer than two units.
    """

    __test__ = False  # not one of pytest's

    estimate: Estimate
    number: float
    reason: str
    word: Callable[[Interval, float], str]
    nulls: tuple[float, ...]

    def __post_init__(self) -> None:
        if not np.isfinite(self.number) or self.number == 0:
            raise ValueError(f"A claim needs the smallest effect that counts, fixed before the run; got {self.number}.")
        if self.estimate.units < LEAST_UNITS:
            raise ValueError(
                f"A verdict needs an interval, and {self.estimate.units} {self.estimate.unit} give none: run two or "
                "more, or make the claim `not_testable`."
            )

    @property
    def p(self) -> float:
        """The largest of the p-values against `nulls`; NaN where nothing varies."""
        return max(stats.p_against(self.estimate, null) for null in self.nulls)


def effect(estimate: Estimate, smallest: float, reason: str) -> Test:
    """A claimed effect at least as large as `smallest`, which has the sign of the claim (`word_of_effect`)."""
    return Test(estimate, float(smallest), reason, word_of_effect, (0.0,))


def no_change(estimate: Estimate, margin: float, reason: str) -> Test:
    """A claim that nothing changes by more than `margin` (`word_of_no_change`)."""
    return Test(estimate, abs(float(margin)), reason, word_of_no_change, (-abs(margin), abs(margin)))


def not_beyond(estimate: Estimate, margin: float, reason: str) -> Test:
    """A claim that nothing changes as far as `margin`, which has a sign: "not lower", "not raised"."""
    return Test(estimate, float(margin), reason, word_of_not_beyond, (float(margin),))


def judge(page: Sequence[Sequence[Test]]) -> list[Verdict]:
    """A verdict for each claim of a page, from its tests: one for each item that it speaks of.

    The tests of a page are one family (Holm): each is judged on its interval at the level at which Holm's procedure
    tests it (`page_levels`), so that under true nulls "reproduced" comes on 5 % of the pages at most.
    """
    return [
        each([_judged(test, level) for test, level in zip(claim, at, strict=True)])
        for claim, at in zip(page, page_levels(page), strict=True)
    ]


def page_levels(page: Sequence[Sequence[Test]]) -> list[list[float]]:
    """The level of each test of each claim of a page: all together are one family."""
    found = iter(levels([test.p for claim in page for test in claim]))
    return [[next(found) for _ in claim] for claim in page]


def levels(p_values: Sequence[float]) -> list[float]:
    """The level at which Holm's procedure tests each of m p-values: 1 - ALPHA / (m - k) for the k-th, from 0.

    In the order of p, until one is not rejected; the rest are tested at its level. One that is NaN, where nothing
    varies, counts as one that is not rejected.
    """
    found, m, stopped, alpha = [LEVEL] * len(p_values), len(p_values), False, ALPHA
    for k, which in enumerate(np.argsort(p_values)):  # NaN last
        if not stopped:
            alpha = ALPHA / (m - k)
            stopped = not p_values[which] <= alpha
        found[which] = 1 - alpha
    return found


def _judged(test: Test, level: float) -> Verdict:
    estimate = test.estimate
    if not np.isfinite([estimate.value, *estimate.interval]).all():
        return Verdict(NOT_TESTABLE, "a value is not finite")
    interval = stats.at(estimate, level)
    if test.nulls == (0.0,) and interval.low == interval.high == 0:
        return Verdict(CANNOT_TELL, f"0 in all {estimate.unit}: nothing moved, so these cannot show it")
    why = f"[{interval.low:.3g}, {interval.high:.3g}] at {level:.1%}"
    words = [test.word(stats.at(one, level), test.number) for one in _bootstraps(estimate)]
    if len(set(words)) > 1:
        return Verdict(CANNOT_TELL, f"{why}; the verdict changes with the seed of the bootstrap ({' or '.join(words)})")
    return Verdict(test.word(interval, test.number), why)


def _bootstraps(estimate: Estimate) -> list[Estimate]:
    """The estimate as each of its two bootstraps alone gives it: a verdict must not hang on their seed."""
    if estimate.draws is None:
        return [estimate]
    return [estimate._replace(draws=draws) for draws in estimate.draws]


# --- several items, and what is not sampled ---------------------------------------------------------------------------


def each(items: Sequence[Verdict]) -> Verdict:
    """A claim on several items: the word that all have; `partly`, with the count, where some are reproduced.

    Else `cannot tell`: some may be contradicted or too small, and for none it is shown.

    Raises
        ValueError: no item.
    """
    if not items:
        raise ValueError("A claim needs an item to be judged on; make it `not_testable` where there is none.")
    words = [item.word for item in items]
    why = "; ".join(item.why for item in items)
    if len(set(words)) == 1:
        return Verdict(words[0], why)
    counts = ", ".join(f"{words.count(word)} {word}" for word in BADGES if word in words)
    word = PARTLY if REPRODUCED in words else CANNOT_TELL
    return Verdict(word, f"{words.count(REPRODUCED)} of {len(words)} reproduced ({counts}): {why}")


def exact(holds: int | np.integer, of: int, what: str) -> Verdict:
    """A check of numbers that are not sampled: reproduced for all, `partly` for some, contradicted for none.

    Raises
        ValueError: nothing was checked.
    """
    if of < 1:
        raise ValueError(f"Nothing was checked ({what}); make the claim `not_testable`.")
    word = REPRODUCED if holds == of else PARTLY if holds else CONTRADICTED
    return Verdict(word, f"{holds} of {of} {what}")


def all_or_none(quantities: Sequence[str], agree: Sequence[bool]) -> Verdict:
    """A check run, a quantity beside its record each: reproduced if all agree, else contradicted, naming the others.

    Never `partly`: one that disagrees says that the records are not what this code gives.
    """
    others = [name for name, yes in zip(quantities, agree, strict=True) if not yes]
    found = exact(len(quantities) - len(others), len(quantities), "within tolerance")
    return Verdict(CONTRADICTED, f"beyond the tolerance: {', '.join(others)}") if others else found


def within(here: Sequence[float], published: Sequence[float], tolerance: float) -> Verdict:
    """Values that are not sampled beside their targets: `exact` on how many lie within `tolerance`."""
    if not np.isfinite([*here, *published]).all():
        return not_testable("a value is not finite")
    apart = np.abs(np.subtract(here, published))
    found = exact((apart <= tolerance).sum(), len(apart), f"within {tolerance:g}")
    return found._replace(why=f"{found.why}; largest difference {apart.max():.3g}")


def below(interval: Interval, limit: float, what: str) -> Verdict:
    """A quantity whose interval is not that of a mean, such as a spread, claimed to be below a positive limit.

    As `word_of_not_beyond`: reproduced where the interval ends at the limit or before, contradicted beyond it.
    """
    if not np.isfinite(interval).all():
        return not_testable(f"{what}: no interval")
    return Verdict(
        word_of_not_beyond(interval, limit), f"{what}: [{interval[0]:.3g}, {interval[1]:.3g}] of {limit:.3g}"
    )


def rejected(p: float, what: str) -> Verdict:
    """A hypothesis that a test can only reject: contradicted at p below 0.05, else cannot tell."""
    return Verdict(CONTRADICTED if p < ALPHA else CANNOT_TELL, f"p = {p:.2g} if {what}")


def no_interval() -> Verdict:
    """Of a difference over seeds where there is one seed."""
    return not_testable("one seed: no interval over seeds")


def not_testable(why: str) -> Verdict:
    """Models, data or time are missing here."""
    return Verdict(NOT_TESTABLE, why)
