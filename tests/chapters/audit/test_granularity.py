"""What can be printed: against brute force over the counts of every run."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decondense.chapters.audit import granularity

SETTINGS = settings(max_examples=50, derandomize=True)


def printed(counts, n_items, ddof=1):
    accuracies = np.array(counts) / n_items * 100
    return round(float(accuracies.mean()), 1), round(float(accuracies.std(ddof=ddof)), 1)


@pytest.mark.parametrize("runs", [2, 3, 4])
def test_sums_of_squares_are_those_of_all_integers(runs):
    found = {
        (sum(c), sum(x * x for x in c))
        for c in product(range(-6, 7), repeat=runs)
        if 0 <= sum(c) < runs and sum(x * x for x in c) <= 36
    }
    table = granularity.sums_of_squares(runs, 36)
    assert {(int(r), int(q)) for r, q in zip(*np.nonzero(table), strict=True)} == found


@SETTINGS
@given(st.lists(st.integers(60, 80), min_size=2, max_size=5), st.sampled_from([200, 500]), st.sampled_from([0, 1]))
def test_what_runs_print_is_reachable(counts, n_items, ddof):
    mean, std = printed(counts, n_items, ddof)
    assert granularity.is_mean_of(mean, std, len(counts), n_items, ddof)
    value, _ = printed(counts[:1], n_items, ddof=0)
    assert granularity.is_one_of(value, std, len(counts), n_items, ddof)


@SETTINGS
@given(st.integers(0, 9), st.integers(0, 25), st.sampled_from([2, 3]))
def test_what_is_reachable_some_runs_print(digit, tenths, runs):
    mean, std = 50 + digit / 10, tenths / 10
    within = lambda values: abs(values.mean() - mean) <= 0.05 + 1e-9 and abs(values.std(ddof=1) - std) <= 0.05 + 1e-9
    counts = combinations_with_replacement(range(94, 109), runs)  # 47 to 54 per cent of 200
    expected = any(within(np.array(c) / 2) for c in counts)
    assert granularity.is_mean_of(mean, std, runs, 200) == expected


@pytest.mark.parametrize(
    ("mean", "std", "runs", "reachable"),
    [
        (41.6, 0.0, 3, True),  # three equal runs
        (41.7, 0.1, 3, True),  # 41.6, 41.6, 41.8
        (41.6, 0.1, 3, False),  # two 41.6 and one 0.2 off give 41.5 or 41.7
        (41.6, 0.1, 5, True),  # four 41.6 and one 41.8
        (41.7, 0.1, 2, True),
        (41.6, 0.1, 2, False),
    ],
)
def test_cells_worked_out_by_hand(mean, std, runs, reachable):
    assert granularity.is_mean_of(mean, std, runs, 500) is reachable


def test_value_of_one_run_beside_the_spread_of_several():
    assert granularity.is_one_of(41.6, 0.1, 2, 500)  # 41.6 and 41.8 have the spread 0.14
    assert not granularity.is_one_of(41.7, 0.1, 2, 500)
    assert not granularity.is_one_of(41.5, 0.2, 2, 200)  # two runs: 0, 0.35, 0.71 ...


def test_spreads_beyond_the_table_are_refused():
    with pytest.raises(ValueError, match="A spread of 7 points is above 6"):
        granularity.is_mean_of(50.0, 7.0, 3, 200)


@pytest.mark.parametrize("rule", granularity.RULES)
def test_chance_is_a_share_and_falls_with_coarser_steps(rule):
    coarse, fine = (granularity.chance(rule, 1.0, n) for n in (200, 500))
    assert 0 < coarse < fine <= 1


def test_a_mean_of_two_runs_prints_few_cells():
    cells = [granularity.is_mean_of(50 + m / 10, s / 10, 2, 200) for m in range(10) for s in range(7, 14)]
    assert granularity.chance("mean of 2", 1.0, 200) == pytest.approx(np.mean(cells))
    assert granularity.chance("mean of 2", 1.0, 200) < 0.15


@pytest.mark.parametrize(
    ("std", "n_items", "chance"),
    [
        (0.0, 500, 1.0),  # all runs equal
        (0.1, 500, 1 / 3),  # 0, 0, 1 steps: never a multiple of three, so the spread says nothing
        (0.5, 200, 1.0),  # 0, 1, 2 steps in some order, and no other
    ],
)
def test_chance_of_one_by_hand(std, n_items, chance):
    assert granularity.chance_of_one(std, 3, n_items) == pytest.approx(chance)


def test_chance_of_one_is_the_share_of_drawn_runs():
    counts = np.random.default_rng(0).integers(-12, 13, (200_000, 3))
    printed = np.round(0.2 * counts.std(axis=1, ddof=1), 1)
    share = (counts[printed == 0.8].sum(1) % 3 == 0).mean()
    assert granularity.chance_of_one(0.8, 3, 500) == pytest.approx(share, abs=0.02)


def test_fitting_sizes():
    assert granularity.fitting_sizes([34.4, 30.8, 15.6], [100, 200, 250, 500]) == [250, 500]
    assert granularity.fitting_sizes([34.5, 30.0], [100, 200, 500]) == [200]
    assert granularity.fitting_sizes([33.3], [200, 500, 1000]) == [1000]
    assert granularity.fitting_sizes([], [7]) == [7]
