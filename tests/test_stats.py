"""Statistics against scipy, statsmodels, brute force and simulation."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from decondense import stats

SETTINGS = settings(max_examples=50, deadline=None, derandomize=True)
SAMPLE = st.lists(st.integers(-999, 999), min_size=3, max_size=6, unique=True)


def summary(sample):
    return np.mean(sample), np.std(sample, ddof=1), len(sample)


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


# --- ranks and t-tests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ties", "expected"),
    [("average", [1, 2.5, 2.5, 4]), ("min", [1, 2, 2, 4]), ("max", [1, 3, 3, 4]), ("dense", [1, 2, 2, 3])],
)
def test_ranks_under_each_rule_for_ties(ties, expected):
    np.testing.assert_array_equal(stats.ranks([9.0, 5.0, 5.0, 1.0], ties), expected)
    np.testing.assert_array_equal(stats.ranks([1.0, 5.0, 5.0, 9.0], ties, descending=False), expected)


def test_ranks_go_along_the_last_axis():
    np.testing.assert_array_equal(stats.ranks([[1, 2], [2, 1]]), [[2, 1], [1, 2]])


def test_unknown_rule_for_ties():
    with pytest.raises(ValueError, match=r"Unknown rule for ties 'averag'\. Did you mean 'average'"):
        stats.ranks([1, 2], "averag")


@SETTINGS
@given(SAMPLE, SAMPLE, st.sampled_from(stats.KINDS))
def test_t_test_is_scipys_on_the_samples(a, b, kind):
    found = stats.t_test(*summary(a), *summary(b), kind)
    expected = scipy_stats.ttest_ind(a, b, equal_var=kind == "student")
    assert (found.p, found.t, found.df) == pytest.approx((expected.pvalue, expected.statistic, expected.df))


@SETTINGS
@given(SAMPLE, st.integers(-999, 999))
def test_one_sample_t_test_is_scipys(a, value):
    found, expected = stats.t_test_one_sample(*summary(a), value), scipy_stats.ttest_1samp(a, value)
    assert (found.p, found.t, found.df) == pytest.approx((expected.pvalue, expected.statistic, expected.df))


def test_paired_t_test_is_scipys():
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    found, expected = stats.paired_t_test(a - b), scipy_stats.ttest_rel(a, b)
    assert (found.p, found.t, found.df) == pytest.approx((expected.pvalue, expected.statistic, expected.df))


def test_paired_t_test_needs_two():
    with pytest.raises(ValueError, match="two differences or more, got 1"):
        stats.paired_t_test([0.5])


def test_t_tests_broadcast():
    spread = np.array([0.1, 0.2])
    both = stats.t_test(1.0, spread, 3, 0.5, 0.1, 3)
    assert both.p[1] == pytest.approx(stats.t_test(1.0, 0.2, 3, 0.5, 0.1, 3).p)
    assert both.p.shape == both.t.shape == both.df.shape == (2,)


@pytest.mark.parametrize("kind", stats.KINDS)
def test_without_any_spread_a_difference_is_certain(kind):
    assert stats.t_test(1.0, 0.0, 3, 0.5, 0.0, 3, kind).p == 0
    assert np.isnan(stats.t_test(0.5, 0.0, 3, 0.5, 0.0, 3, kind).p)
    assert stats.t_test(1.0, 0.0, 3, 0.5, 0.1, 3, kind).df == {"student": 4, "welch": 2}[kind]


def test_unknown_t_test():
    with pytest.raises(ValueError, match=r"Unknown t-test 'Welch'\. Did you mean 'welch'"):
        stats.t_test(1, 1, 3, 0, 1, 3, "Welch")


@SETTINGS
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(p_values):
    found, m, running = stats.holm(p_values), len(p_values), 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1, (m - place) * p_values[index]))
        assert found[index] == pytest.approx(running)


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03, 0.005], [0.02, 0.02, 0.9, 0.02, 1.0]])
def test_holm_is_statsmodels(p_values):
    np.testing.assert_allclose(stats.holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_of_nothing_is_nothing():
    assert len(stats.holm([])) == 0


# --- errors of accuracies -------------------------------------------------------------------------------------------


def test_binomial_error_is_the_spread_of_simulated_accuracies():
    draws = np.random.default_rng(0).binomial(500, 0.34, 200_000) / 500
    assert stats.binomial_error(0.34, 500) == pytest.approx(draws.std(), rel=0.01)
    np.testing.assert_allclose(stats.binomial_error([0.5, 1.0], [100, 7]), [0.05, 0])


def test_error_of_average_is_the_spread_of_simulated_averages():
    accuracies, n = np.array([0.2, 0.5, 0.9]), np.array([100, 200, 300])
    draws = np.random.default_rng(0).binomial(n, accuracies, (100_000, 3)) / n
    assert stats.error_of_average(accuracies, n) == pytest.approx(draws.mean(1).std(), rel=0.01)
    assert stats.error_of_average([0.5, 0.5], 100) == pytest.approx(0.05 / np.sqrt(2))


def test_error_of_difference_of_other_items():
    draws = np.random.default_rng(0).binomial(400, 0.3, (200_000, 2)) / 400
    assert stats.error_of_difference(0.3, 400) == pytest.approx((draws[:, 0] - draws[:, 1]).std(), rel=0.01)


def test_error_of_difference_of_the_same_items_is_mcnemars():
    flips = np.random.default_rng(0).multinomial(400, [0.05, 0.05, 0.9], 200_000)
    error = stats.error_of_difference(0.3, 400, flip_share=0.1)
    assert error == pytest.approx(((flips[:, 0] - flips[:, 1]) / 400).std(), rel=0.01)
    statistic = mcnemar([[100, 28], [12, 260]], exact=False, correction=False).statistic  # 40 of 400 items flip
    assert ((28 - 12) / 400 / error) ** 2 == pytest.approx(statistic)


def test_independent_answers_flip_as_often_as_the_unpaired_error_says():
    assert stats.error_of_difference(0.3, 400, 2 * 0.3 * 0.7) == pytest.approx(stats.error_of_difference(0.3, 400))


@pytest.mark.parametrize("share", [-0.1, 0.61])
def test_impossible_flip_share(share):
    with pytest.raises(ValueError, match="share of items that flip"):
        stats.error_of_difference(0.3, 400, share)


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


def test_resampling_seeds_widens_the_interval_by_the_spread_between_runs():
    rng = np.random.default_rng(0)
    shift = np.array([-0.2, 0.0, 0.2])[:, None]  # one shift a run, the same in all tasks
    a = [shift + rng.normal(0, 0.01, (3, 200)) for _ in range(5)]
    b = [np.zeros(200) for _ in range(5)]
    narrow = stats.paired_bootstrap(a, b)[1]
    assert narrow.high - narrow.low < 0.002
    with pytest.MonkeyPatch.context() as patch:  # one seed in b cannot be drawn anew: two equal ones can
        patch.setattr(stats, "RESAMPLES", 10_000)
        wide = stats.paired_bootstrap(a, [np.zeros((2, 200))] * 5, resample_seeds=True)[1]
    error = np.std([-0.2, 0.0, 0.2]) / np.sqrt(3)
    assert (wide.high - wide.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_no_interval_without_items_or_seeds_to_draw():
    one = stats.paired_bootstrap([np.array([1.0])], [np.array([0.0])])
    assert one[0] == 1
    assert np.isnan(one[1]).all()
    items = [np.array([1.0, 0.0, 1.0])]
    assert np.isnan(stats.paired_bootstrap(items, items, resample_seeds=True)[1]).all()


def test_bootstrap_refuses_items_that_do_not_match():
    for a, b in ([[np.ones(3)], [np.ones(4)]], [[np.ones(3)], [np.ones(3), np.ones(3)]], [[], []]):
        with pytest.raises(ValueError, match="of each task the same items"):
            stats.paired_bootstrap(a, b)
    with pytest.raises(ValueError, match="same number of seeds"):
        stats.paired_bootstrap([np.ones((2, 3)), np.ones(3)], [np.ones(3), np.ones(3)])


# --- power ----------------------------------------------------------------------------------------------------------


def test_power_is_the_share_of_simulated_mcnemar_tests_that_reject():
    items, flips, difference = 1000, 0.2, 0.03
    share = [(flips + difference) / 2, (flips - difference) / 2, 1 - flips]
    counts = np.random.default_rng(0).multinomial(items, share, 100_000)
    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(counts[:, 0] + counts[:, 1])
    assert stats.power(difference, 100, 10, flips) == pytest.approx((np.abs(z) > 1.96).mean(), abs=0.01)


def test_power_knows_that_a_difference_takes_spread_away():
    items, d, flips = 50, 0.2, 0.25
    null, true = np.sqrt(flips / items), np.sqrt((flips - d**2) / items)
    expected = scipy_stats.norm.sf(1.959964 * null, d, true) + scipy_stats.norm.cdf(-1.959964 * null, d, true)
    assert stats.power(d, 25, 2, flips) == pytest.approx(expected, abs=1e-6)


def test_power_without_a_difference_is_alpha():
    assert stats.power(0.0, 500, 10, 0.1) == pytest.approx(0.05)
    assert stats.power(0.0, 500, 10, 0.1, alpha=0.01) == pytest.approx(0.01)
    assert stats.power(0.1, 500, 10, 0.1) == pytest.approx(1)  # every flip goes the same way


@SETTINGS
@given(st.integers(50, 1000), st.floats(0.02, 0.5), st.floats(0.1, 0.95))
def test_detectable_is_where_the_power_is_reached(n_items, flips, power):
    found = stats.detectable(n_items, 10, flips, power)
    if np.isnan(found):  # not even if all flips go the same way
        assert stats.power(flips, n_items, 10, flips) < power
    else:
        assert stats.power(found, n_items, 10, flips) == pytest.approx(power, abs=1e-6)


def test_detectable_of_the_textbook():
    z = scipy_stats.norm.ppf(0.975) + scipy_stats.norm.ppf(0.8)
    assert stats.detectable(500, 10, 0.2) == pytest.approx(z * np.sqrt(0.2 / 5000), rel=0.01)
    assert stats.detectable(500, 10, 0.2, power=0.05) == 0
    assert np.isnan(stats.detectable(2, 1, 0.2))  # two items find nothing


def test_a_difference_needs_flips():
    with pytest.raises(ValueError, match="needs at least that share of flips"):
        stats.power(0.2, 500, 10, 0.1)


# --- trend ----------------------------------------------------------------------------------------------------------


def by_brute_force(values):
    pairs = lambda x: sum(a > b for i, a in enumerate(x) for b in x[i + 1 :])
    orders = list(permutations(values))
    return np.mean([pairs(order) >= pairs(values) for order in orders])


@SETTINGS
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_permutation_p_is_that_of_all_orderings(values):
    assert stats.monotone_permutation_p(values) == pytest.approx(by_brute_force(values))


def test_permutation_p_is_scipys_exact_one():
    values = np.random.default_rng(0).normal(size=13)
    expected = scipy_stats.kendalltau(np.arange(13), values, method="exact", alternative="less").pvalue
    assert stats.monotone_permutation_p(values) == pytest.approx(expected)


def test_permutation_p_of_closed_cases():
    assert stats.monotone_permutation_p([4, 3, 2, 1]) == pytest.approx(1 / 24)
    assert stats.monotone_permutation_p([1, 2, 3, 4]) == 1
    assert stats.monotone_permutation_p(pd.Series([2.0, 2.0])) == 1
    assert stats.monotone_permutation_p([1.0]) == stats.monotone_permutation_p([]) == 1
    with pytest.raises(ValueError, match="finite values"):
        stats.monotone_permutation_p([1.0, float("nan")])
