"""The choice of the best checkpoint: against the moments of the largest of normal values, and on made tables."""

import numpy as np
import pandas as pd
import pytest

from decondense.chapters.gains import selection
from decondense.paper import accuracies

MEAN_5, VARIANCE_5 = 1.16296, 0.44753  # of the largest of five standard normal values


def test_effect_is_that_of_the_largest_normal_value():
    found = selection.effect(np.ones(10), checkpoints=5, simulations=100_000)
    unit = 1 / np.sqrt(10)
    assert found.before == pytest.approx(unit)
    assert found.shift == pytest.approx(MEAN_5 * unit, rel=0.01)
    assert found.spread == pytest.approx(np.sqrt(VARIANCE_5) * unit, rel=0.01)


def test_what_checkpoints_share_cannot_be_chosen():
    found = selection.effect(np.ones(10), 5, shared=0.5, simulations=100_000)
    assert found.shift == pytest.approx(MEAN_5 * np.sqrt(0.5 / 10), rel=0.01)
    assert found.spread == pytest.approx(np.sqrt((0.5 + 0.5 * VARIANCE_5) / 10), rel=0.01)
    assert selection.effect(np.ones(10), 5, shared=1.0).shift == pytest.approx(0, abs=0.01)


def test_one_checkpoint_is_no_choice():
    found = selection.effect([1.0, 2.0], checkpoints=1, simulations=100_000)
    assert found.shift == pytest.approx(0, abs=0.01)
    assert found.spread == pytest.approx(found.before, rel=0.01)
    assert selection.effect([1.0, 2.0], seed=1) != selection.effect([1.0, 2.0], seed=2)


@pytest.mark.parametrize(("checkpoints", "shared"), [(0, 0.0), (5, 1.1), (5, -0.1)])
def test_impossible_choices_are_refused(checkpoints, shared):
    with pytest.raises(ValueError, match="at least one checkpoint"):
        selection.effect([1.0], checkpoints, shared)


def test_effects_are_those_of_the_printed_spreads():
    found = selection.effects(simulations=2000)
    assert len(found) == 2 * len(accuracies.MID_TRAINED)
    assert (found["shift"] > 0).all()
    np.testing.assert_allclose(found.ratio.xs(0.0, level="shared"), np.sqrt(VARIANCE_5), rtol=0.05)
    assert (found.ratio < 1).all()


def test_by_checkpoints_grows_from_no_choice():
    found = selection.by_checkpoints(most=6, simulations=5000)
    alone = found[found.shared == 0].set_index("checkpoints")
    assert alone.loc[1, "shift"] == pytest.approx(0, abs=0.05)
    assert (np.diff(alone["shift"]) > 0).all()
    assert (np.diff(alone.spread) < 0).all()


def test_equal_noise_keeps_the_level_and_unequal_noise_does_not():
    found = selection.false_positives([1, 2], simulations=20_000)
    assert found.loc[1, "found"] == pytest.approx(0.05, abs=0.01)
    assert found.loc[1, "difference"] == pytest.approx(0, abs=0.02)
    assert found.loc[2, "difference"] == pytest.approx(MEAN_5, rel=0.03)
    assert found.loc[2, "better"] > 0.15
    without = selection.false_positives([2], checkpoints=1, simulations=20_000)
    assert without.loc[2, "difference"] == pytest.approx(0, abs=0.03)


def made(rows, checkpoints=1, scale=1.0):
    """Spreads of three seeds each, as printed, of tasks that vary independently."""
    rng = np.random.default_rng(0)
    runs = selection.chosen_runs(np.full(10, 2.0), checkpoints, 0.0, (rows, 3), rng)
    table = pd.DataFrame(runs.std(axis=1, ddof=1).round(1), columns=list(accuracies.TASKS))
    return table.assign(average=(scale * runs.mean(-1).std(axis=1, ddof=1)).round(2))


def test_independent_tasks_fit():
    found = selection.spread_test(made(60))
    assert found.within_rounding.low < found.observed < found.within_rounding.high
    assert found.interval.low < found.expected < found.interval.high
    assert found.expected == pytest.approx(1, abs=0.03)
    assert found.p > 0.05


def test_averages_that_vary_too_little_do_not_fit_but_a_choice_does():
    assert selection.spread_test(made(60, scale=0.5)).p < 0.01
    chosen = made(60, checkpoints=5)
    assert selection.spread_test(chosen).p < 0.01
    assert selection.spread_test(chosen, checkpoints=5).p > 0.05


def test_each_spread_is_rounded_by_itself():
    """All roundings at once in one direction would hide more than half of what is seen here."""
    table = made(60)
    found = selection.spread_test(table)
    tasks, averages = table[list(accuracies.TASKS)].to_numpy(), table["average"].to_numpy()
    ratio = lambda average, task: float(np.mean(average**2 * 100 / (task**2).sum(1)))
    one_way = ratio(averages + 0.005, tasks - 0.05) - ratio(averages - 0.005, tasks + 0.05)
    low, high = found.within_rounding
    assert 0 < high - low < one_way / 5
    assert low < ratio(averages, tasks) < high


def test_p_is_never_zero():
    assert selection.spread_test(made(60, scale=0.1), simulations=100).p > 0


def test_spread_tests_are_of_the_printed_rows():
    found = selection.spread_tests(simulations=200)
    assert list(found) == [1, 5]
    rows = accuracies.wide("std").dropna(subset=["average"])
    assert found[5] == selection.spread_test(rows, 5, simulations=200)
    assert found[1].expected > found[5].expected
