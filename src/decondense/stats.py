"""Means with intervals, Holm's correction, errors and power of accuracies, a paired bootstrap, a trend test.

What scipy has is taken from it. Accuracies, differences and flip shares are shares in [0, 1], not per cent.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.polynomial import polynomial
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import chi2, norm, ttest_1samp
from scipy.stats import t as student

LEVEL = 0.95  # of the intervals
ALPHA, POWER = 0.05, 0.8  # of the tests whose smallest detectable difference is asked for
RESAMPLES = 2000  # of a bootstrap
_BLOCK = 100  # resamples drawn at a time: MMLU has many thousands of items


class Interval(NamedTuple):
    """A 95 % interval; NaN where there are fewer than two units to take it over."""

    low: float | np.ndarray
    high: float | np.ndarray


class Mean(NamedTuple):
    """A mean over units such as seeds, its 95 % interval (Student's t), and the two-sided p-value against 0."""

    mean: float
    interval: Interval
    p: float


# --- means ----------------------------------------------------------------------------------------------------------


def mean_and_interval(values: ArrayLike) -> Mean:
    """Mean of one number a unit; of paired differences, the p-value is that of the paired t-test.

    Interval and p-value are NaN with one value. Equal values give a point for an interval, and p = 0, or NaN at 0.
    """
    values = np.asarray(values, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of scipy, for one value and for equal ones
        found = ttest_1samp(values, 0.0)
        low, high = found.confidence_interval(LEVEL)
    return Mean(float(values.mean()), Interval(float(low), float(high)), float(found.pvalue))


def detectable_mean(differences: ArrayLike) -> float:
    """The smallest true mean difference that a two-sided paired t-test at `ALPHA` finds with the chance `POWER`.

    The spread of the differences is taken as the true one. NaN with fewer than two, or where they are all the same.
    """
    n = len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    if spread == 0:
        return float("nan")
    # Given the estimated variance, a chi-square, the numerator is normal. scipy's noncentral t is NaN at some shifts,
    # which led statsmodels' TTestPower to wrong answers for two values (8.25 for 8.60 at a power of 0.5).
    threshold = student.isf(ALPHA / 2, n - 1) * np.sqrt(chi2.ppf((np.arange(4000) + 0.5) / 4000, n - 1) / (n - 1))
    excess = lambda shift: (norm.sf(threshold - shift) + norm.cdf(-threshold - shift)).mean() - POWER
    return float(brentq(excess, 0, 10 * threshold.max())) * spread / n**0.5


def percentile_interval(resampled: Float[np.ndarray, "resamples *shape"], units: int) -> Interval:
    """The 95 % percentile interval of a statistic over its bootstrap resamples; NaN with fewer than two units."""
    ends = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    if units < 2:
        ends = np.full_like(ends, np.nan)
    return Interval(*(ends if ends.ndim > 1 else ends.tolist()))


def bootstrap_mean(values: ArrayLike, seed: int = 0) -> tuple[float, Interval]:
    """Mean of one number per text, such as a paired difference, and its 95 % bootstrap interval (NaN for one text)."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return float(values.mean()), percentile_interval(values[draws].mean(1), len(values))


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


def paired_bootstrap(
    items_a: Sequence[ArrayLike], items_b: Sequence[ArrayLike], seed: int = 0
) -> tuple[float, Interval]:
    """Mean of a - b of the task-averaged score, and its 95 % bootstrap interval over the items of each task.

    items_a, items_b
        One array a task: the scores (0 or 1, or real) of the same items in the same order, of shape (items,), or
        (seeds, items) for several training runs. Every task counts alike; items are drawn with replacement within
        their task, the same for both conditions. The scores of the seeds are averaged, so the interval does not cover
        other training runs.

    The interval is NaN where a task has fewer than two items.

    Raises
        ValueError: no tasks, or a task whose items differ in number, or seeds that differ in number between tasks.
    """
    a, b = _scores(items_a), _scores(items_b)
    if not a or [len(task) for task in a] != [len(task) for task in b]:
        raise ValueError("Both conditions need the same tasks, at least one, and of each task the same items.")
    rng = np.random.default_rng(seed)
    differences = [x - y for x, y in zip(a, b, strict=True)]
    resampled = np.mean([_resampled_means(task, rng) for task in differences], axis=0)
    difference = float(np.mean([task.mean() for task in differences]))
    return difference, percentile_interval(resampled, min(map(len, differences)))


def _scores(items: Sequence[ArrayLike]) -> list[Float[np.ndarray, "items"]]:
    scores = [np.atleast_2d(np.asarray(task, dtype=float)) for task in items]
    if len({len(task) for task in scores}) > 1:
        raise ValueError("Every task needs the same number of seeds.")
    return [task.mean(0) for task in scores]


def _resampled_means(values: Float[np.ndarray, "items"], rng: np.random.Generator) -> Float[np.ndarray, "resamples"]:
    n = len(values)
    share = np.full(n, 1 / n)
    blocks = [rng.multinomial(n, share, size=_BLOCK) @ values for _ in range(RESAMPLES // _BLOCK)]
    return np.concatenate(blocks) / n


# --- trend ----------------------------------------------------------------------------------------------------------


def monotone_permutation_p(values: ArrayLike) -> float:
    """Share of all orderings of `values` with at least as strong a downward Kendall trend: exact, one-sided.

    With the values fixed, Kendall's tau-b falls as the number of pairs grows whose earlier value is the larger one.
    The orderings with k such pairs are counted by the coefficients of [n]_q! / prod [m]_q!, over the groups of m equal
    values, [n]_q! = prod_{i<=n} (1 + q + ... + q^(i-1)): scipy's exact test knows no equal values. 1 for fewer than
    two values.

    Raises
        ValueError: a value that is not finite has no place in an order.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError("A trend needs finite values; leave the others out.")
    earlier_larger = int(np.triu(values[:, None] > values[None, :], 1).sum())
    counts = _q_factorial(len(values))
    for size in np.unique(values, return_counts=True)[1].tolist():
        counts = polynomial.polydiv(counts, _q_factorial(size))[0]
    return float(counts[earlier_larger:].sum() / counts.sum())


def _q_factorial(n: int) -> np.ndarray:
    product = np.ones(1)
    for i in range(2, n + 1):
        product = np.convolve(product, np.ones(i))
    return product
