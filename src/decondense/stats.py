"""Estimates with intervals, Holm's correction, power, errors of accuracies.

What scipy has is taken from it. Accuracies, differences and flip shares are shares in [0, 1], not per cent.
"""

import warnings
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import chi2, norm, ttest_1samp
from scipy.stats import t as student

LEVEL = 0.95  # of the intervals
ALPHA, POWER = 0.05, 0.8  # of the tests whose smallest detectable difference is asked for
RESAMPLES = 2000  # of a bootstrap
BOOTSTRAPS = (2, 10_000)  # of one that decides a verdict: with two seeds, so that a verdict that flips is found


class Interval(NamedTuple):
    """A 95 % interval; NaN where there are fewer than two units to take it over."""

    low: float | np.ndarray
    high: float | np.ndarray


class Estimate(NamedTuple):
    """A number found in a sample of units, with its uncertainty.

    interval, p
        The 95 % interval, and the two-sided p-value against 0. NaN where there are fewer than two units.
    units, unit
        How many there are (the fewest, where they are of two kinds), and what they are: "seeds", "texts".
    freedom
        Degrees of freedom of Student's t; `units` - 1 unless the estimate says otherwise.
    draws
        Of a bootstrap: its resamples, a row for each of two seeds. `None` where Student's t gives the interval.
    systematic
        How far something else than chance may have moved the value, to either side: added to both ends of `at`.
    """

    value: float
    interval: Interval
    p: float
    units: int
    unit: str = "seeds"
    freedom: float | None = None
    draws: np.ndarray | None = None
    systematic: float = 0.0


# --- means ----------------------------------------------------------------------------------------------------------


def mean_and_interval(values: ArrayLike, unit: str = "seeds") -> Estimate:
    """Mean of one number a unit, with Student's t; of paired differences, the p-value is that of the paired t-test.

    Interval and p-value are NaN with one value. Equal values give a point for an interval, and p = 0, or NaN at 0.
    """
    values = np.asarray(values, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of scipy, for one value and for equal ones
        found = ttest_1samp(values, 0.0)
        low, high = found.confidence_interval(LEVEL)
    interval = Interval(float(low), float(high))
    return Estimate(float(values.mean()), interval, float(found.pvalue), len(values), unit)


def crossed_mean(tasks: Sequence[Float[np.ndarray, "seeds _"]]) -> Estimate:
    """Mean over tasks of values that have a seed and an item, with both drawn at random.

    tasks
        One array a task, (seeds, items): differences of two conditions, the same seeds in every task. Every task counts
        alike.

    With V_seeds the variance of the mean from the spread of the seeds' averages, V_items that from the spread of the
    items' means within their tasks, and V_rest what both count twice (seed x item),

        V = max(V_seeds + V_items - V_rest, V_seeds, V_items),

    and Student's t with Satterthwaite's degrees of freedom, seeds - 1 at least (crossed random effects). A bootstrap
    over three seeds would be far too narrow. NaN with one seed or one item.

    Raises
        ValueError: no tasks, or seeds that differ in number between tasks.
    """
    tasks = [np.atleast_2d(np.asarray(task, dtype=float)) for task in tasks]
    if len({len(task) for task in tasks}) != 1:
        raise ValueError("Every task needs the same number of seeds, and there must be a task.")
    units = min(min(task.shape) for task in tasks)
    value = float(np.mean([task.mean() for task in tasks]))
    if units < 2:
        return Estimate(value, Interval(np.nan, np.nan), np.nan, units, "seeds and items")
    variance, freedom = _crossed_variance(tasks)
    error = variance**0.5
    reach = student.ppf((1 + LEVEL) / 2, freedom) * error
    p = float(2 * student.sf(abs(value) / error, freedom)) if error else np.nan
    return Estimate(value, Interval(value - reach, value + reach), p, units, "seeds and items", freedom)


def _crossed_variance(tasks: Sequence[np.ndarray]) -> tuple[float, float]:
    """The variance of the mean, and its degrees of freedom; a term is (variance, freedom)."""
    n, seeds = len(tasks), len(tasks[0])
    of_seeds = float(np.mean([task.mean(1) for task in tasks], axis=0).var(ddof=1) / seeds)
    of_items, of_rest = [], []
    for task in tasks:
        items = task.shape[1]
        rest = task - task.mean(0) - task.mean(1, keepdims=True) + task.mean()
        of_items.append((float(task.mean(0).var(ddof=1) / items / n**2), items - 1))
        of_rest.append(float((rest**2).sum() / ((seeds - 1) * (items - 1)) / (seeds * items) / n**2))
    items_part, rest_part = sum(v for v, _ in of_items), sum(of_rest)
    variance = max(of_seeds + items_part - rest_part, of_seeds, items_part)
    spread = of_seeds**2 / (seeds - 1) + sum(v**2 / freedom for v, freedom in of_items)
    return variance, max(seeds - 1.0, variance**2 / spread if spread else 0.0)


def bootstrapped(value: float, draws: Float[np.ndarray, "bootstraps resamples"], units: int, unit: str) -> Estimate:
    """An estimate from its bootstrap resamples, drawn with two seeds, over so many units; the interval is `at`'s."""
    found = Estimate(value, Interval(np.nan, np.nan), np.nan, units, unit, None, np.asarray(draws, dtype=float))
    return found if units < 2 else found._replace(interval=at(found, LEVEL), p=p_against(found, 0.0))


def bootstrap_mean(values: ArrayLike, seed: int = 0, unit: str = "texts") -> Estimate:
    """Mean of one number a unit, such as a paired difference of a text, with its bootstrap interval."""
    values = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=BOOTSTRAPS) @ values / len(values)
    return bootstrapped(float(values.mean()), draws, len(values), unit)


def apart(first: Estimate, second: Estimate) -> Estimate:
    """first - second, two bootstraps over units of their own: as if no unit of one were one of the other.

    The resamples of `second` are taken in another order, so that draws of the same numbers are not paired.

    Raises
        ValueError: one of them has no resamples.
    """
    if first.draws is None or second.draws is None:
        raise ValueError("The difference of two samples needs the resamples of both: use `bootstrapped`.")
    draws = first.draws - np.random.default_rng(0).permuted(second.draws, axis=1)
    return bootstrapped(first.value - second.value, draws, min(first.units, second.units), first.unit)


def at(estimate: Estimate, level: float) -> Interval:
    """The interval at another level: Student's t, or the expanded percentile interval of a bootstrap.

    The percentiles of the resamples are drawn away from the value by sqrt(n / (n - 1)) t / z, with the quantiles of
    Student's t (n - 1 degrees of freedom) and of the normal distribution at this level: those of few units are too
    narrow (Hesterberg 2015, The American Statistician 69).
    """
    value, bias = estimate.value, estimate.systematic
    if estimate.draws is None:
        reach = student.ppf((1 + level) / 2, _freedom(estimate)) * standard_error(estimate)
        return Interval(value - reach - bias, value + reach + bias)
    low, high = np.quantile(estimate.draws, [(1 - level) / 2, (1 + level) / 2])
    wider = _expansion(level, estimate.units)
    return Interval(float(value + wider * (low - value)) - bias, float(value + wider * (high - value)) + bias)


def p_against(estimate: Estimate, null: float) -> float:
    """Two-sided p-value of the estimate against another value than 0.

    1 less the level at which the interval (`at`) comes to hold that value, so the two never disagree. Of a bootstrap
    it is no smaller than one in the number of its resamples.
    """
    if estimate.draws is None:
        error, apart = standard_error(estimate), abs(estimate.value - null) - estimate.systematic
        return float(2 * student.sf(max(0.0, apart) / error, _freedom(estimate))) if error else np.nan
    holds = lambda alpha: (found := at(estimate, 1 - alpha)).low <= null <= found.high
    least, most = 1 / estimate.draws.size, 1.0
    if not holds(least):
        return least
    for _ in range(24):
        middle = (least * most) ** 0.5
        least, most = (middle, most) if holds(middle) else (least, middle)
    return float(most)


def standard_error(estimate: Estimate) -> float:
    """Of the estimate: from the width of its interval, or the spread of its resamples."""
    if estimate.draws is not None:
        return float(estimate.draws.std() * (estimate.units / (estimate.units - 1)) ** 0.5)
    low, high = estimate.interval
    return float((high - low) / 2 / student.ppf((1 + LEVEL) / 2, _freedom(estimate)))


def _freedom(estimate: Estimate) -> float:
    return estimate.units - 1 if estimate.freedom is None else estimate.freedom


def _expansion(level: float, units: int) -> float:
    quantile = (1 + level) / 2
    return float((units / (units - 1)) ** 0.5 * student.ppf(quantile, units - 1) / norm.ppf(quantile))


# --- power ----------------------------------------------------------------------------------------------------------


def detectable(estimate: Estimate, alpha: float = ALPHA) -> float:
    """The smallest true effect that such a sample finds with the chance `POWER`, its spread taken as the true one.

    By a two-sided test at `alpha`. NaN with fewer than two units, or where they are all the same.
    """
    error = standard_error(estimate) if estimate.units > 1 else 0.0
    return _shift(_freedom(estimate), alpha) * error if error > 0 else float("nan")


def detectable_with(spread: float, units: int) -> float:
    """`detectable` before the run: `units` of them, and their standard deviation as another sample has it."""
    return _shift(units - 1.0, ALPHA) * spread / units**0.5


@cache
def _shift(freedom: float, alpha: float) -> float:
    # Given the estimated variance, a chi-square, the numerator is normal. scipy's noncentral t is NaN at some shifts,
    # which led statsmodels' TTestPower to wrong answers for two values (8.25 for 8.60 at a power of 0.5).
    threshold = student.isf(alpha / 2, freedom) * np.sqrt(chi2.ppf((np.arange(4000) + 0.5) / 4000, freedom) / freedom)
    excess = lambda shift: (norm.sf(threshold - shift) + norm.cdf(-threshold - shift)).mean() - POWER
    return float(brentq(excess, 0, 10 * threshold.max()))


# --- intervals and corrections --------------------------------------------------------------------------------------


def percentile_interval(resampled: Float[np.ndarray, "resamples *shape"], units: int) -> Interval:
    """The 95 % percentile interval of a statistic over its bootstrap resamples; NaN with fewer than two units."""
    ends = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    if units < 2:
        ends = np.full_like(ends, np.nan)
    return Interval(*(ends if ends.ndim > 1 else ends.tolist()))


def holm(p_values: ArrayLike) -> Float[np.ndarray, "tests"]:
    """Holm's step-down correction: p-values that control the chance of any false rejection among these tests.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)).
    """
    # Not statsmodels': that one collects garbage at every call, half a second where a model is loaded.
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    return adjusted.clip(max=1)


# --- accuracies -----------------------------------------------------------------------------------------------------


def binomial_error(accuracy: ArrayLike, n: ArrayLike) -> float | np.ndarray:
    """Standard error sqrt(p (1 - p) / n) of an accuracy p on n items drawn at random."""
    accuracy = np.asarray(accuracy, dtype=float)
    return np.sqrt(accuracy * (1 - accuracy) / np.asarray(n))[()]


def error_of_average(accuracies: ArrayLike, n_items: ArrayLike) -> float:
    """Standard error of the plain mean of T accuracies, each on its own items: sqrt(sum of squared errors) / T."""
    errors = np.atleast_1d(binomial_error(accuracies, n_items))
    return float(np.sqrt((errors**2).sum()) / len(errors))


def mcnemar_power(difference: float, n_items: int, n_tasks: int, flip_share: float) -> float:
    """Chance that McNemar's test at `ALPHA` finds a true `difference` of the task average, both runs on the same items.

    N = n_tasks * n_items items, of which a share f flips, so one item's difference has the variance f without a true
    difference and f - d^2 with one. Normal approximation:

        P(|Z| > z_(1 - alpha/2) sqrt(f / N)),   Z normal with mean d and variance (f - d^2) / N

    Covers the items alone, not other training seeds.

    Raises
        ValueError: |difference| above the flip share, which cannot be.
    """
    if abs(difference) > flip_share:
        raise ValueError(f"A difference of {difference:g} needs at least that share of flips, got {flip_share:g}.")
    items = n_items * n_tasks
    threshold = norm.isf(ALPHA / 2) * np.sqrt(flip_share / items)
    spread = max(np.sqrt((flip_share - difference**2) / items), 1e-12)
    return float(norm.sf((threshold - difference) / spread) + norm.cdf((-threshold - difference) / spread))


def detectable_accuracy(n_items: int, n_tasks: int, flip_share: float) -> float:
    """The smallest true difference of the task average that `mcnemar_power` finds with the chance `POWER`.

    NaN where not even a difference as large as the flip share is found.
    """
    excess = lambda difference: mcnemar_power(difference, n_items, n_tasks, flip_share) - POWER
    return float(brentq(excess, 0, flip_share)) if excess(flip_share) >= 0 else float("nan")
