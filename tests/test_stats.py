"""Statistics against scipy, statsmodels, brute force and simulation."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from decondense import stats

SETTINGS = settings(max_examples=50, derandomize=True)


# --- a mean and its interval ----------------------------------------------------------------------------------------


def test_bootstrap_mean_has_a_seeded_interval_around_the_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 50)
    mean, interval = stats.bootstrap_mean(values)
    assert mean == pytest.approx(values.mean())
    assert interval.low < mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.2)
    assert stats.bootstrap_mean(values) == (mean, interval)
    assert stats.bootstrap_mean(values, seed=1)[1] != interval
    assert np.isnan(stats.bootstrap_mean([0.3])[1]).all()


@SETTINGS
@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8).filter(lambda v: len(set(v)) > 1))
def test_mean_and_interval_are_those_of_students_t_test(values):
    found, n = stats.mean_and_interval(values), len(values)
    error = np.std(values, ddof=1) / np.sqrt(n)
    assert found.mean == pytest.approx(np.mean(values))
    half = scipy_stats.t.ppf(0.975, n - 1) * error
    assert found.interval == pytest.approx((found.mean - half, found.mean + half))
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(abs(found.mean) / error, n - 1), abs=1e-12)


def test_mean_of_one_value_or_of_equal_ones(recwarn):
    one = stats.mean_and_interval([0.3])
    assert one.mean == 0.3
    assert np.isnan([*one.interval, one.p]).all()
    assert stats.mean_and_interval([0.5, 0.5]) == (0.5, (0.5, 0.5), 0.0)
    none = stats.mean_and_interval([0.0, 0.0])
    assert none.interval == (0, 0)
    assert np.isnan(none.p)
    assert not recwarn


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_detectable_mean_is_found_with_the_power(n):
    differences = np.random.default_rng(n).normal(3, 7, n)
    error, freedom = differences.std(ddof=1) / n**0.5, n - 1
    shift, threshold = stats.detectable_mean(differences) / error, scipy_stats.t.isf(stats.ALPHA / 2, freedom)
    found = scipy_stats.nct.sf(threshold, freedom, shift) + scipy_stats.nct.cdf(-threshold, freedom, shift)
    assert found == pytest.approx(stats.POWER, abs=1e-3)


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.3, 0.3]])
def test_no_mean_is_detectable_without_a_spread(values):
    assert np.isnan(stats.detectable_mean(values))


@pytest.mark.parametrize(("units", "expected"), [(1, (np.nan, np.nan)), (2, (2.5, 97.5))])
def test_percentile_interval_leaves_out_a_fortieth_on_each_side(units, expected):
    assert stats.percentile_interval(np.arange(101.0), units) == pytest.approx(expected, nan_ok=True)
    each = stats.percentile_interval(np.stack([np.arange(101.0), np.arange(101.0)], axis=1), units)
    np.testing.assert_allclose(each, np.transpose([expected, expected]))


@pytest.mark.parametrize("p_values", [[0.04, 0.01, 0.03, 0.005], [0.02, 0.02, 0.9, 0.02, 1.0]])
def test_holm_is_statsmodels(p_values):
    np.testing.assert_allclose(stats.holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_of_one_or_none():
    assert stats.holm([0.01]) == [0.01]
    assert len(stats.holm([])) == 0


# --- errors of accuracies -------------------------------------------------------------------------------------------


def test_error_of_average_is_the_spread_of_simulated_averages():
    accuracies, n = np.array([0.2, 0.5, 0.9]), np.array([100, 200, 300])
    draws = np.random.default_rng(0).binomial(n, accuracies, (100_000, 3)) / n
    assert stats.error_of_average(accuracies, n) == pytest.approx(draws.mean(1).std(), rel=0.01)
    assert stats.error_of_average([0.5, 0.5], 100) == pytest.approx(0.05 / np.sqrt(2))
    np.testing.assert_allclose(stats.binomial_error([0.5, 1.0], [100, 7]), [0.05, 0])


# --- paired bootstrap -----------------------------------------------------------------------------------------------


def correlated(rng, tasks=4, items=300, gain=0.05):
    """0/1 scores of two conditions on the same items of each task, the second one a little better."""
    latent = [rng.normal(size=items) for _ in range(tasks)]
    noise = [rng.normal(0, 0.5, (2, items)) for _ in range(tasks)]
    pairs = list(zip(latent, noise, strict=True))
    return [(z + e[0] > 0).astype(float) for z, e in pairs], [(z + e[1] > -gain).astype(float) for z, e in pairs]


def test_bootstrap_interval_has_the_width_of_the_paired_error():
    a, b = correlated(np.random.default_rng(0))
    difference, interval = stats.paired_bootstrap(b, a)
    per_task = [y - x for x, y in zip(a, b, strict=True)]
    error = np.sqrt(sum(d.var() / len(d) for d in per_task)) / len(a)
    assert difference == pytest.approx(np.mean([d.mean() for d in per_task]))
    assert interval.low < difference < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert stats.paired_bootstrap(a, b)[0] == pytest.approx(-difference)
    assert stats.paired_bootstrap(b, a) == (difference, interval)
    assert stats.paired_bootstrap(b, a, seed=1)[1] != interval
    one, four = (stats.paired_bootstrap(b[:1] * n, a[:1] * n)[1] for n in (1, 4))  # each task has its own draws
    assert four.high - four.low == pytest.approx((one.high - one.low) / 2, rel=0.1)


def test_bootstrap_weighs_tasks_alike_and_keeps_pairs_together():
    easy, hard = np.array([0.0, 1.0, 1.0, 0.0]), np.array([1.0, 0.0])
    found = stats.paired_bootstrap([easy + 0.5, hard], [easy, hard])
    assert found == (0.25, (0.25, 0.25))  # what the items share cancels


def test_bootstrap_averages_seeds_before_it_draws_items():
    a, b = correlated(np.random.default_rng(0))
    seeds = [np.stack([x, y]) for x, y in zip(a, b, strict=True)]
    means = [s.mean(0) for s in seeds]
    difference, interval = stats.paired_bootstrap(seeds, a)
    once, same = stats.paired_bootstrap(means, a)
    assert difference == pytest.approx(once)
    assert interval == pytest.approx(same)


def test_no_interval_without_items_to_draw():
    difference, interval = stats.paired_bootstrap([[1.0], [1.0, 0.0]], [[0.0], [0.0, 1.0]])
    assert difference == 0.5
    assert np.isnan(interval).all()  # a task of one item


def test_bootstrap_refuses_items_that_do_not_match():
    for a, b in ([[np.ones(3)], [np.ones(4)]], [[np.ones(3)], [np.ones(3), np.ones(3)]], [[], []]):
        with pytest.raises(ValueError, match="of each task the same items"):
            stats.paired_bootstrap(a, b)
    with pytest.raises(ValueError, match="same number of seeds"):
        stats.paired_bootstrap([np.ones((2, 3)), np.ones(3)], [np.ones(3), np.ones(3)])


# --- power ----------------------------------------------------------------------------------------------------------


def test_power_knows_that_a_difference_takes_spread_away():
    items, d, flips = 50, 0.2, 0.25
    null, true = np.sqrt(flips / items), np.sqrt((flips - d**2) / items)
    expected = scipy_stats.norm.sf(1.959964 * null, d, true) + scipy_stats.norm.cdf(-1.959964 * null, d, true)
    assert stats.mcnemar_power(d, 25, 2, flips) == pytest.approx(expected, abs=1e-6)


def test_power_without_a_difference_is_alpha():
    assert stats.mcnemar_power(0.0, 500, 10, 0.1) == pytest.approx(stats.ALPHA)
    assert stats.mcnemar_power(0.1, 500, 10, 0.1) == pytest.approx(1)  # every flip goes the same way


def test_detectable_accuracy_of_the_textbook():
    z = scipy_stats.norm.ppf(0.975) + scipy_stats.norm.ppf(0.8)
    assert stats.detectable_accuracy(500, 10, 0.2) == pytest.approx(z * np.sqrt(0.2 / 5000), rel=0.01)
    assert np.isnan(stats.detectable_accuracy(2, 1, 0.2))  # two items find nothing


def test_a_difference_needs_flips():
    with pytest.raises(ValueError, match="needs at least that share of flips"):
        stats.mcnemar_power(0.2, 500, 10, 0.1)


# --- trend ----------------------------------------------------------------------------------------------------------


def by_brute_force(values):
    pairs = lambda x: sum(a > b for i, a in enumerate(x) for b in x[i + 1 :])
    orders = list(permutations(values))
    return np.mean([pairs(order) >= pairs(values) for order in orders])


@SETTINGS
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_permutation_p_is_that_of_all_orderings(values):
    assert stats.monotone_permutation_p(values) == pytest.approx(by_brute_force(values))


def test_permutation_p_of_closed_cases():
    assert stats.monotone_permutation_p([4, 3, 2, 1]) == pytest.approx(1 / 24)
    assert stats.monotone_permutation_p([1, 2, 3, 4]) == 1
    assert stats.monotone_permutation_p(pd.Series([2.0, 2.0])) == 1
    assert stats.monotone_permutation_p([1.0]) == stats.monotone_permutation_p([]) == 1
    with pytest.raises(ValueError, match="finite values"):
        stats.monotone_permutation_p([1.0, float("nan")])


def test_two_samples_are_apart_with_the_error_of_both():
    values = np.random.default_rng(0).normal(size=40)
    first, second = (stats.bootstrap_mean(v) for v in (values + 1, values))  # drawn alike, and not paired
    found = stats.apart(first, second)
    assert found.value == pytest.approx(1)
    assert (found.units, found.unit) == (40, "texts")
    one = stats.standard_error(first)
    assert stats.standard_error(found) == pytest.approx(2**0.5 * one, rel=0.03)
    with pytest.raises(ValueError, match="needs the resamples of both"):
        stats.apart(first, stats.mean_and_interval(values))
