"""Ranks, t-tests from printed summaries, binomial errors, a paired bootstrap over test items, power, a trend test.

Accuracies, differences and flip shares are shares in [0, 1], not per cent.
"""

from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.polynomial import polynomial
from scipy import stats
from scipy.optimize import brentq

from .base.errors import unknown

Numbers = Real | Sequence | np.ndarray | pd.Series
TIES = ("average", "min", "max", "dense")
KINDS = ("student", "welch")
RESAMPLES = 2000  # of a bootstrap
LEVEL = 0.95  # of the intervals
_BLOCK = 100  # resamples drawn at a time: MMLU has many thousands of items


class TTest(NamedTuple):
    """A two-sided t-test: p-value, statistic, degrees of freedom. Arrays where arrays were given."""

    p: float | np.ndarray
    t: float | np.ndarray
    df: float | np.ndarray


class Interval(NamedTuple):
    """A 95 % interval; NaN where there are fewer than two units to take it over."""

    low: float | np.ndarray
    high: float | np.ndarray


def percentile_interval(resampled: Float[np.ndarray, "resamples"], units: int) -> Interval:
    """The 95 % percentile interval of a statistic over its bootstrap resamples; NaN with fewer than two units."""
    if units < 2:
        return Interval(np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    return Interval(*(float(q) for q in np.quantile(resampled, [tail, 1 - tail])))


def bootstrap_mean(per_text: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, Interval]:
    """Mean of one number per text, such as a paired difference, and its 95 % bootstrap interval (NaN for one text)."""
    values = np.asarray(per_text, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return float(values.mean()), percentile_interval(values[draws].mean(1), len(values))


# --- ranks and t-tests ----------------------------------------------------------------------------------------------


def ranks(values: Numbers, ties: str = "average", descending: bool = True) -> Float[np.ndarray, "*batch values"]:
    """Rank of each value along the last axis, 1 for the largest (`descending`) or the smallest.

    ties
        What equal values get: "average" of their places, "min" (1 2 2 4), "max" (1 3 3 4) or "dense" (1 2 2 3).

    Raises
        ValueError: unknown rule for ties.
    """
    if ties not in TIES:
        raise unknown("rule for ties", ties, TIES)
    values = np.asarray(values, dtype=float)
    return stats.rankdata(-values if descending else values, method=ties, axis=-1).astype(float)


def t_test(
    mean_a: Numbers,
    std_a: Numbers,
    n_a: Numbers,
    mean_b: Numbers,
    std_b: Numbers,
    n_b: Numbers,
    kind: str = "student",
) -> TTest:
    """Two-sided t-test of two independent samples from mean, standard deviation (ddof = 1) and size; broadcasts.

    student
        df = n_a + n_b - 2, variance of a - b = s^2 (1/n_a + 1/n_b), s^2 pooled.
    welch
        variance of a - b = v_a + v_b, v = std^2 / n, df = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)).

    Two spreads of 0 give p = 0, or NaN for equal means.

    Raises
        ValueError: unknown kind.
    """
    if kind not in KINDS:
        raise unknown("t-test", kind, KINDS)
    mean_a, std_a, n_a, mean_b, std_b, n_b = (
        np.asarray(x, dtype=float) for x in (mean_a, std_a, n_a, mean_b, std_b, n_b)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "student":
            df = n_a + n_b - 2
            variance = ((n_a - 1) * std_a**2 + (n_b - 1) * std_b**2) / df * (1 / n_a + 1 / n_b)
        else:
            part_a, part_b = std_a**2 / n_a, std_b**2 / n_b
            variance = part_a + part_b
            df = variance**2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
            df = np.where(variance > 0, df, n_a + n_b - 2)
    return _two_sided(mean_a - mean_b, variance, df)


def t_test_one_sample(mean: Numbers, std: Numbers, n: Numbers, value: Numbers) -> TTest:
    """Two-sided t-test of a sample (mean, std with ddof = 1, size n) against a fixed value, df = n - 1; broadcasts."""
    mean, std, n, value = (np.asarray(x, dtype=float) for x in (mean, std, n, value))
    return _two_sided(mean - value, std**2 / n, n - 1)


def paired_t_test(differences: Numbers) -> TTest:
    """Two-sided t-test that the mean of paired differences is 0.

    Raises
        ValueError: fewer than two differences.
    """
    differences = np.asarray(differences, dtype=float)
    if differences.size < 2:
        raise ValueError(f"A paired t-test needs two differences or more, got {differences.size}.")
    return t_test_one_sample(differences.mean(), differences.std(ddof=1), differences.size, 0.0)


def _two_sided(difference: Numbers, variance: Numbers, df: Numbers) -> TTest:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = difference / np.sqrt(variance)
    return TTest(*(x[()] for x in np.broadcast_arrays(2 * stats.t.sf(np.abs(t), df), t, df)))


def holm(p_values: Numbers) -> Float[np.ndarray, "tests"]:
    """Holm's step-down correction: p-values that control the chance of any false rejection among these tests.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)).
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    return adjusted.clip(max=1)


# --- errors of accuracies -------------------------------------------------------------------------------------------


def binomial_error(accuracy: Numbers, n: Numbers) -> float | np.ndarray:
    """Standard error sqrt(p (1 - p) / n) of an accuracy p on n items drawn at random."""
    accuracy, n = np.asarray(accuracy, dtype=float), np.asarray(n, dtype=float)
    return np.sqrt(accuracy * (1 - accuracy) / n)[()]


def error_of_average(accuracies: Numbers, n_items: Numbers) -> float:
    """Standard error of the plain mean of T accuracies, each on its own items: sqrt(sum of squared errors) / T."""
    errors = np.atleast_1d(binomial_error(accuracies, n_items))
    return float(np.sqrt((errors**2).sum()) / len(errors))


def error_of_difference(p: Numbers, n: Numbers, flip_share: Numbers | None = None) -> float | np.ndarray:
    """Standard error of the difference of two accuracies near p, each on n items.

    flip_share
        `None`: the two have different items, sqrt(2 p (1 - p) / n). Else both saw the same items, and this share of
        the items is right for one and wrong for the other: sqrt(flip_share / n). That is the error where there is no
        true difference d; with one it is sqrt((flip_share - d^2) / n).

    Raises
        ValueError: a flip share above 2 min(p, 1 - p), which two equal accuracies cannot have.
    """
    p, n = np.asarray(p, dtype=float), np.asarray(n, dtype=float)
    if flip_share is None:
        return np.sqrt(2 * p * (1 - p) / n)[()]
    flip_share = np.asarray(flip_share, dtype=float)
    if np.any(flip_share < 0) or np.any(flip_share > 2 * np.minimum(p, 1 - p) + 1e-12):
        raise ValueError("The share of items that flip must lie in [0, 2 min(p, 1 - p)].")
    return np.sqrt(flip_share / n + 0 * p)[()]


# --- paired bootstrap -----------------------------------------------------------------------------------------------


def paired_bootstrap(
    items_a: Sequence[Numbers], items_b: Sequence[Numbers], seed: int = 0, resample_seeds: bool = False
) -> tuple[float, Interval]:
    """Mean of a - b of the task-averaged score, and its 95 % bootstrap interval over the items of each task.

    items_a, items_b
        One array a task: the scores (0 or 1, or real) of the same items in the same order, of shape (items,), or
        (seeds, items) for several training runs. Every task counts alike; items are drawn with replacement within
        their task, the same for both conditions. The scores of the seeds are averaged.
    resample_seeds
        Draw the seeds of each condition with replacement too, independently, one draw for all tasks: then the interval
        also covers other training runs. With three seeds it is too narrow for that: the spread of draws from n values
        is sqrt((n - 1) / n) of that of new ones.

    The interval is NaN where a task has fewer than two items, or `resample_seeds` is asked of a single seed.

    Raises
        ValueError: no tasks, or a task whose items differ in number, or seeds that differ in number between tasks.
    """
    a, b = _scores(items_a), _scores(items_b)
    if not a or [x.shape[1] for x in a] != [x.shape[1] for x in b]:
        raise ValueError("Both conditions need the same tasks, at least one, and of each task the same items.")
    rng = np.random.default_rng(seed)
    weights_a, weights_b = (_seed_weights(len(x[0]), resample_seeds, rng) for x in (a, b))
    difference = float(np.mean([x.mean() - y.mean() for x, y in zip(a, b, strict=True)]))
    resampled = np.zeros(RESAMPLES)
    for scores_a, scores_b in zip(a, b, strict=True):
        means = _resampled_means(np.concatenate([scores_a, scores_b]), rng)  # one draw of items for both
        resampled += (means[:, : len(scores_a)] * weights_a).sum(1) - (means[:, len(scores_a) :] * weights_b).sum(1)
    fewest = min(x.shape[1] for x in a)
    if resample_seeds:
        fewest = min(fewest, len(a[0]), len(b[0]))
    return difference, percentile_interval(resampled / len(a), fewest)


def _scores(items: Sequence[Numbers]) -> list[np.ndarray]:
    scores = [np.atleast_2d(np.asarray(task, dtype=float)) for task in items]
    if len({len(task) for task in scores}) > 1:
        raise ValueError("Every task needs the same number of seeds.")
    return scores


def _seed_weights(seeds: int, resample: bool, rng: np.random.Generator) -> Float[np.ndarray, "resamples seeds"]:
    if not resample:
        return np.full((RESAMPLES, seeds), 1 / seeds)
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds


def _resampled_means(
    scores: Float[np.ndarray, "rows items"], rng: np.random.Generator
) -> Float[np.ndarray, "resamples rows"]:
    n = scores.shape[1]
    share = np.full(n, 1 / n)
    blocks = [rng.multinomial(n, share, size=_BLOCK) @ scores.T for _ in range(RESAMPLES // _BLOCK)]
    return np.concatenate(blocks) / n


# --- power ----------------------------------------------------------------------------------------------------------


def power(difference: float, n_items: int, n_tasks: int, flip_share: float, alpha: float = 0.05) -> float:
    """Chance that a paired two-sided test of the task average finds a true `difference`, both runs on the same items.

    N = n_tasks * n_items items, of which a share f flips, so one item's difference has the variance f without a true
    difference and f - d^2 with one. Normal approximation (McNemar's test):

        P(|Z| > z_(1 - alpha/2) sqrt(f / N)),   Z normal with mean d and variance (f - d^2) / N

    Covers the items alone, not other training seeds.

    Raises
        ValueError: |difference| above the flip share, which cannot be.
    """
    if abs(difference) > flip_share:
        raise ValueError(f"A difference of {difference:g} needs at least that share of flips, got {flip_share:g}.")
    items = n_items * n_tasks
    threshold = stats.norm.ppf(1 - alpha / 2) * np.sqrt(flip_share / items)
    spread = max(np.sqrt((flip_share - difference**2) / items), 1e-12)
    upper = stats.norm.sf((threshold - difference) / spread)
    return float(upper + stats.norm.cdf((-threshold - difference) / spread))


def detectable(n_items: int, n_tasks: int, flip_share: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference of the task average that `power` finds with this chance; NaN where none does."""
    excess = lambda d: _power(d, n_items, n_tasks, flip_share, alpha) - power
    if excess(flip_share) < 0:
        return float("nan")
    return float(brentq(excess, 0, flip_share)) if excess(0.0) < 0 else 0.0


_power = power  # `detectable` has an argument of that name


# --- trend ----------------------------------------------------------------------------------------------------------


def monotone_permutation_p(values: Numbers) -> float:
    """Share of all orderings of `values` with at least as strong a downward Kendall trend: exact, one-sided.

    With the values fixed, Kendall's tau-b falls as the number of pairs grows whose earlier value is the larger one.
    The orderings with k such pairs are counted by the coefficients of [n]_q! / prod [m]_q!, over the groups of m equal
    values, [n]_q! = prod_{i<=n} (1 + q + ... + q^(i-1)). 1 for fewer than two values.

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
