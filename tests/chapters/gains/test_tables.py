"""Errors, gains and spreads of the published averages: by hand, by simulation, and against each other."""

import numpy as np
import pytest
from scipy.stats import ttest_ind_from_stats

from decondense.chapters.gains import tables
from decondense.paper import accuracies
from decondense.paper.rounding import CONSISTENT, INCONSISTENT


def test_item_errors_are_binomial():
    found = tables.item_errors()
    assert found.loc["anli_r2", "GPT2"] == pytest.approx(100 * np.sqrt(0.348 * 0.652 / 500))
    tasks = found.loc[list(accuracies.TASKS)]
    np.testing.assert_allclose(found.loc["average"], np.sqrt((tasks**2).sum()) / 10)
    assert (found.loc["mmlu"] < found.loc["anli_r2"]).all()


@pytest.mark.parametrize("model", accuracies.MID_TRAINED)
@pytest.mark.parametrize("against", ["train", "none"])
def test_gains_of_the_tasks_make_up_that_of_the_average(model, against):
    found, averages = tables.gains(model, against), accuracies.mid_trained().loc[model].average
    assert found.carries.sum() == pytest.approx(averages.dispersion - averages[against], abs=0.03)
    assert found.share.sum() == pytest.approx(1)


def test_errors_of_a_gain_by_hand():
    row = tables.gains("GPT2").loc["medmcqa"]
    assert row.gain == pytest.approx(26.6 - 24.2)
    assert row.seeds == pytest.approx(np.sqrt((2.3**2 + 3.8**2) / 3))
    assert row["items"] == pytest.approx(100 * np.sqrt(2 * 0.254 * 0.746 / 500))
    alone = tables.gains("GPT2", "none").loc["medmcqa"]
    assert alone.seeds == pytest.approx(2.3 / np.sqrt(3))  # the untrained row has no spread


def test_implied_flips_give_back_flips_at_random(monkeypatch):
    rng, items, flips = np.random.default_rng(0), 500, 0.1
    # A run has each answer of a common key, turned over at random, so that two runs differ in a share of 2 q (1 - q).
    turned = (1 - np.sqrt(1 - 2 * flips)) / 2
    wrong = rng.binomial(items, turned, (4000, 3, 10, 2))
    key_right = np.array([0.5, 0.5])
    accuracy = 100 * (key_right[0] * (1 - wrong[..., 0] / items) + key_right[1] * wrong[..., 1] / items)
    spread = np.sqrt(accuracy.var(axis=1, ddof=1).mean())
    table = accuracies.mid_trained("std").copy()
    table.loc[:, list(accuracies.TASKS)] = spread
    monkeypatch.setattr(accuracies, "mid_trained", lambda column: table)
    monkeypatch.setattr(accuracies, "equivalent_items", lambda model: 2 * items)
    assert tables.implied_flips()["GPT2"] == pytest.approx(flips, rel=0.03)


def test_spreads_of_averages_lie_within_the_bounds():
    found = tables.spreads()
    assert len(found) == 30
    assert set(found.outcome) == {CONSISTENT}
    assert ((found.low <= found.independent) & (found.independent <= found.high)).all()
    row = found.loc[("Table 2", "GPT2", "active_forgetting")]
    s = accuracies.mid_trained("std").loc[("GPT2", "active_forgetting"), list(accuracies.TASKS)].to_numpy(float)
    assert row.independent == pytest.approx(np.sqrt((s**2).sum()) / 10)
    assert row.high == pytest.approx((s + 0.05).sum() / 10)


def test_a_spread_beyond_the_bounds_is_found(monkeypatch):
    table = accuracies.wide("std")
    table.loc[("Table 2", "GPT2", "train"), list(accuracies.TASKS)] = [9.0] + [0.1] * 9
    table.loc[("Table 2", "GPT2", "train"), "average"] = 0.5
    monkeypatch.setattr(accuracies, "wide", lambda column: table)
    row = tables.spreads().loc[("Table 2", "GPT2", "train")]
    assert row.low == pytest.approx((8.95 - 9 * 0.15) / 10)
    assert row.outcome == INCONSISTENT


def test_settings_are_set_against_default_training_and_other_losses():
    found = tables.settings().set_index(["lambda_disp", "tau"])
    row = found.loc[(0.1, 0.5)]
    assert (row.to_default, row.to_train, row.to_best_other) == pytest.approx((-0.19, 0.47, 0.0), abs=1e-9)
    assert found.p_same.loc[(0.1, 1.0)] == pytest.approx(1)
    assert row.p_same == pytest.approx(ttest_ind_from_stats(35.61, 0.12, 3, 35.42, 0.12, 3).pvalue)


def test_gains_by_task_make_up_that_of_table_5():
    found = tables.by_task("Table 5", "Qwen3-0.6B", "dispersion", "train")
    assert found.mean() == pytest.approx(1.17)
    assert found.truthfulqa == pytest.approx(7.4)
    assert (found.idxmax(), (found > 0).sum()) == ("truthfulqa", 6)


def test_over_training_has_the_largest_fall():
    found = tables.over_training()
    assert len(found) == 24
    assert found.idxmin() == ("Qwen3-1.7B", "l2_repel")
    assert found.min() == pytest.approx(-8.35)
    assert found[("GPT2", "dispersion")] == pytest.approx(35.61 - 34.95)
