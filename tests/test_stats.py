"""Statistics against scipy, statsmodels, brute force and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from decondense import stats

SETTINGS = settings(max_examples=50, derandomize=True)


# --- a mean and its interval --------------------------------------------------------------------------------------


def test_bootstrap_mean_has_a_seeded_interval_around_the_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 50)
    found, again = stats.bootstrap_mean(values), stats.bootstrap_mean(values)
    assert found.value == pytest.approx(values.mean())
    assert (found.units, found.unit) == (50, "texts")
    assert found.draws.shape == stats.BOOTSTRAPS
    student = stats.mean_and_interval(values)
    assert found.interval == pytest.approx(student.interval, abs=0.002)  # expanded: as wide as Student's
    assert again.interval == found.interval
    assert stats.bootstrap_mean(values, seed=1).interval != found.interval
    one = stats.bootstrap_mean([0.3])
    assert np.isnan([*one.interval, one.p]).all()


@pytest.mark.parametrize("n", [8, 20])
def test_the_bootstrap_interval_covers_the_truth_as_often_as_it_says(n):
    """Plain percentiles of 8 units cover 90 times in 100."""
    rng = np.random.default_rng(n)
    samples = rng.normal(0, 1, (600, n))
    weights = rng.multinomial(n, np.full(n, 1 / n), size=(2, 1000)) / n
    covered = 0
    for sample in samples:
        low, high = stats.bootstrapped(sample.mean(), weights @ sample, n, "texts").interval
        covered += low <= 0 <= high
    assert covered / len(samples) == pytest.approx(0.95, abs=0.022)


@SETTINGS
@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8).filter(lambda v: len(set(v)) > 1))
def test_mean_and_interval_are_those_of_students_t_test(values):
    found, n = stats.mean_and_interval(values), len(values)
    error = np.std(values, ddof=1) / np.sqrt(n)
    assert found.value == pytest.approx(np.mean(values))
    half = scipy_stats.t.ppf(0.975, n - 1) * error
    assert found.interval == pytest.approx((found.value - half, found.value + half))
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(abs(found.value) / error, n - 1), abs=1e-12)


def test_mean_of_one_value_or_of_equal_ones(recwarn):
    one = stats.mean_and_interval([0.3])
    assert one.value == 0.3
    assert np.isnan([*one.interval, one.p]).all()
    assert stats.mean_and_interval([0.5, 0.5])[:4] == (0.5, (0.5, 0.5), 0.0, 2)
    none = stats.mean_and_interval([0.0, 0.0])
    assert none.interval == (0, 0)
    assert np.isnan(none.p)
    assert not recwarn


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_detectable_mean_is_found_with_the_power(n):
    differences = np.random.default_rng(n).normal(3, 7, n)
    error, freedom = differences.std(ddof=1) / n**0.5, n - 1
    shift, threshold = (
        stats.detectable(stats.mean_and_interval(differences)) / error,
        scipy_stats.t.isf(stats.ALPHA / 2, freedom),
    )
    beside = shift * (1 + np.array([-1e-5, 0, 1e-5]))  # scipy's noncentral t is NaN at some shifts
    found = scipy_stats.nct.sf(threshold, freedom, beside) + scipy_stats.nct.cdf(-threshold, freedom, beside)
    assert np.nanmean(found) == pytest.approx(stats.POWER, abs=1e-3)


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.3, 0.3]])
def test_no_mean_is_detectable_without_a_spread(values):
    assert np.isnan(stats.detectable(stats.mean_and_interval(values)))


def test_power_before_the_run_is_that_of_a_sample_with_this_spread():
    sample = np.array([-1.0, 0.0, 1.0, 2.0, -2.0])
    assert stats.detectable_with(sample.std(ddof=1), 5) == pytest.approx(
        stats.detectable(stats.mean_and_interval(sample))
    )
    assert stats.detectable_with(1.0, 20) < stats.detectable_with(1.0, 5) < stats.detectable_with(2.0, 5)


# --- another level, another null, a bias ------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_students_interval_at_another_level_is_scipys(level):
    values = [0.3, 0.1, 0.5, 0.4]
    found = stats.at(stats.mean_and_interval(values), level)
    assert found == pytest.approx(scipy_stats.ttest_1samp(values, 0).confidence_interval(level))


@pytest.mark.parametrize("null", [0.0, 0.2, 1.0])
def test_p_against_another_value_is_scipys(null):
    values = [0.3, 0.1, 0.5, 0.4]
    found = stats.p_against(stats.mean_and_interval(values), null)
    assert found == pytest.approx(scipy_stats.ttest_1samp(values, null).pvalue)


@pytest.mark.parametrize("make", [stats.mean_and_interval, stats.bootstrap_mean])
def test_p_and_interval_agree_on_what_is_excluded(make):
    values = np.random.default_rng(3).normal(1, 1, 12)
    found = make(values)
    for level in (0.9, 0.95, 0.99):
        low, high = stats.at(found, level)
        for null in (low - 0.05, high + 0.05):
            assert stats.p_against(found, null) < 1 - level + 0.004
        for null in (low + 0.05, high - 0.05):
            assert stats.p_against(found, null) > 1 - level - 0.004


@pytest.mark.parametrize("make", [stats.mean_and_interval, stats.bootstrap_mean])
def test_a_bias_of_unknown_sign_widens_the_interval_to_both_sides(make):
    found = make(np.array([0.5, 0.6, 0.7, 0.4]))
    biased = found._replace(systematic=0.1)
    low, high = stats.at(found, 0.95)
    assert stats.at(biased, 0.95) == pytest.approx((low - 0.1, high + 0.1))
    assert stats.p_against(biased, 0.0) == pytest.approx(stats.p_against(found, 0.1), abs=1e-3)
    assert stats.p_against(biased, found.value + 0.05) == pytest.approx(1, abs=0.2)


# --- seeds and items --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_seed", "of_item", "of_both", "seeds"),
    [(0.0, 0.3, 0.3, 3), (0.2, 0.1, 0.3, 3), (0.05, 0.3, 0.3, 3), (0.1, 0.3, 0.3, 5)],
)
def test_the_interval_over_seeds_and_items_covers_the_truth(of_seed, of_item, of_both, seeds):
    rng, covered, n = np.random.default_rng(seeds), 0, 400
    for _ in range(n):
        shared = rng.normal(0, of_seed, (seeds, 1))
        of = lambda shared=shared: shared + rng.normal(0, of_item, (1, 60)) + rng.normal(0, of_both, (seeds, 60))
        low, high = stats.crossed_mean([of() for _ in range(3)]).interval
        covered += low <= 0 <= high
    assert covered / n >= 0.9


def test_without_a_spread_between_seeds_the_items_alone_decide():
    items = np.random.default_rng(0).normal(0.2, 1, 500)
    found = stats.crossed_mean([np.stack([items] * 4)])
    assert found.value == pytest.approx(items.mean())
    assert stats.standard_error(found) == pytest.approx(items.std(ddof=1) / 500**0.5)
    assert found.freedom == pytest.approx(499)


def test_without_a_spread_between_items_the_seeds_alone_decide():
    seeds = np.array([0.1, 0.4, 0.3])
    found = stats.crossed_mean([np.repeat(seeds[:, None], 50, axis=1)] * 2)
    assert found.interval == pytest.approx(stats.mean_and_interval(seeds).interval)
    assert (found.freedom, found.units, found.unit) == (2, 3, "seeds and items")


def test_every_task_counts_alike():
    rng = np.random.default_rng(0)
    small, large = rng.normal(1, 0.1, (3, 10)), rng.normal(0, 0.1, (3, 1000))
    assert stats.crossed_mean([small, large]).value == pytest.approx((small.mean() + large.mean()) / 2)


def test_one_seed_or_none_gives_no_interval():
    assert np.isnan([*stats.crossed_mean([np.ones((1, 9))]).interval]).all()
    with pytest.raises(ValueError, match="same number of seeds"):
        stats.crossed_mean([np.ones((2, 9)), np.ones((3, 9))])
    with pytest.raises(ValueError, match="there must be a task"):
        stats.crossed_mean([])


# --- percentiles and corrections --------------------------------------------------------------------------------------


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


# --- errors of accuracies -----------------------------------------------------------------------------------------


def test_error_of_average_is_the_spread_of_simulated_averages():
    accuracies, n = np.array([0.2, 0.5, 0.9]), np.array([100, 200, 300])
    draws = np.random.default_rng(0).binomial(n, accuracies, (100_000, 3)) / n
    assert stats.error_of_average(accuracies, n) == pytest.approx(draws.mean(1).std(), rel=0.01)
    assert stats.error_of_average([0.5, 0.5], 100) == pytest.approx(0.05 / np.sqrt(2))
    np.testing.assert_allclose(stats.binomial_error([0.5, 1.0], [100, 7]), [0.05, 0])


# --- power of accuracies ------------------------------------------------------------------------------------------


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
