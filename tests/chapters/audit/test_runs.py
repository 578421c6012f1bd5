"""What the printed cells can come from: by hand, and against runs that are drawn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, ttest_ind_from_stats

from decondense.chapters.audit import granularity, runs, tables
from decondense.paper import accuracies

SETTINGS = settings(max_examples=50, derandomize=True, deadline=None)


def test_cells_are_judged_by_the_rules():
    found = runs.cells()
    assert len(found) == 30 * 8
    cell = found.loc[("Table 2", "GPT2", "dispersion", "winogrande")]
    assert (cell["mean"], cell["std"]) == (51.6, 0.1)
    assert not cell["mean of 3"]  # 51.6, 51.6 and 0.2 off have the mean 51.5 or 51.7
    assert cell["one run, spread of 3"]
    other = runs.cells(ddof=0)
    assert other["mean of 2"].sum() != found["mean of 2"].sum()


def test_runs_count_the_cells():
    found = runs.runs()
    assert found.loc[("Table 2", "Qwen3-0.6B", "noisy_embedding")].to_dict() == {
        "mean of 2": 8,
        "mean of 3": 0,
        "mean of 4": 6,
        "one run, spread of 2": 6,
        "one run, spread of 3": 1,
    }
    assert found["mean of 3"].sum() == runs.cells()["mean of 3"].sum()
    chance = runs.runs_by_chance()
    assert chance.index.equals(found.index)
    row = ("Table 2", "Qwen3-0.6B", "noisy_embedding")
    spreads = accuracies.wide("std").loc[row, list(runs.GRANULAR)]
    assert chance.loc[row, "mean of 2"] == pytest.approx(
        sum(granularity.chance("mean of 2", float(s), 200) for s in spreads)
    )


def test_single_runs_fit_the_released_sizes_but_for_one_row():
    found = runs.single_runs()
    assert found[found.cells < 8].index.tolist() == [("Table 2", "GPT2-m", "none")]
    assert found.loc[("Table 2", "Qwen3-0.6B", "none"), "smallest"] == 200
    assert found.loc[("Table 2", "GPT2", "none"), "smallest"] == 500


def test_rows_that_allow_two_runs_are_labelled_as_such():
    models = ("Qwen3-0.6B", "Qwen3-1.7B")
    conditions = ("active_forgetting", "noisy_embedding")
    two = {(m, c): 2 for m in models for c in conditions}
    assert runs.likely_runs() == two
    found = runs.labels_of_two_runs()
    assert sorted(found[["model", "condition"]].itertuples(index=False, name=None)) == sorted(two)
    with_three = tables.labels().loc[found.index]
    assert (with_three.p != found.p).all()


@SETTINGS
@given(st.lists(st.integers(60, 120), min_size=3, max_size=3))
def test_a_row_of_three_runs_would_pass(counts):
    accuracies = np.array(counts) / 2
    mean, std = round(float(accuracies.mean()), 1), round(float(accuracies.std(ddof=1)), 1)
    if std <= granularity.SPREADS:
        assert granularity.RULES["mean of 3"](mean, std, n_items=200)


# --- one run ----------------------------------------------------------------------------------------------------------


def test_five_rows_of_two_models_are_wholly_on_the_grid_of_one_run():
    found = runs.on_the_grid_of_one_run().loc["Table 2"]
    whole = found.index[found["on the grid"] == found.cells]
    five = ["train", "decorrelation", "l2_repel", "orthogonalization", "dispersion"]
    assert sorted(whole) == sorted((model, condition) for model in ("GPT2", "Qwen3-0.6B") for condition in five)
    assert (found.loc["GPT2"].drop(["noisy_embedding", "active_forgetting"])["on the grid"].sum()) == 40
    tests = runs.grid_tests()
    assert (tests["on the grid"] <= tests.cells).all()
    assert (tests.holm < 0.05).to_dict() == {
        ("Table 2", "GPT2"): True,
        ("Table 2", "GPT2-m"): True,
        ("Table 2", "Qwen3-0.6B"): True,
        ("Table 2", "Qwen3-1.7B"): False,
        ("Table 3", "GPT2"): False,
    }


def test_as_many_is_the_tail_of_the_binomial_where_all_chances_are_equal():
    part = pd.DataFrame({"chance": [1 / 3] * 8, "one": [True] * 6 + [False] * 2})
    assert runs._as_many(part) == pytest.approx(binom.sf(5, 8, 1 / 3))
    assert runs._as_many(part.assign(one=False)) == pytest.approx(1)


def test_means_of_three_drawn_runs_are_not_taken_for_those_of_one(monkeypatch):
    """At the level of the test: p of rows of three drawn runs is small about as often as chance says."""
    rng, index = np.random.default_rng(0), runs.cells().index
    found = []
    for _ in range(40):
        limits = np.array([accuracies.limit(model) for model in index.get_level_values("model")])
        drawn = 100 * np.round(rng.normal(0.4, 0.01, (3, len(index))) * limits) / limits
        made = pd.DataFrame({"mean": drawn.mean(0).round(1), "std": drawn.std(0, ddof=1).round(1)}, index=index)
        monkeypatch.setattr(runs, "cells", lambda made=made: made)
        found += runs.grid_tests().p.tolist()
    assert np.mean(np.array(found) < 0.05) < 0.1


def test_labels_of_one_run_have_a_statistic_smaller_by_the_root_of_three():
    found = runs.labels_of_one_run()
    assert len(found) == 8
    means, spreads = (accuracies.mid_trained(column).average for column in ("mean", "std"))
    a, b = ("GPT2", "dispersion"), ("GPT2", "train")
    three = ttest_ind_from_stats(means[a], spreads[a], 3, means[b], spreads[b], 3)
    assert found.loc[b].three == pytest.approx(three.pvalue)
    closer = means[a] - (means[a] - means[b]) / 3**0.5
    one = ttest_ind_from_stats(means[a], spreads[a], 3, closer, spreads[b], 3)
    assert found.loc[b].one == pytest.approx(one.pvalue)


def test_one_spread_of_zero_stands_beside_a_value_that_cannot_be():
    found = runs.without_spread()
    assert len(found) == 16
    (odd,) = found.index[~found.possible]
    assert odd == ("Table 2", "GPT2-m", "train", "openbookqa")
    assert found.loc[odd, "mean"] == 19.1
    assert not any(granularity.is_mean_of(19.1, 0.0, k, 500) for k in range(1, 17))


def test_labels_with_two_runs_take_two_of_both_arms():
    found = runs.labels_with_two_runs().set_index(["model", "condition"])
    assert len(found) == 24
    means, spreads = (accuracies.mid_trained(column).average for column in ("mean", "std"))
    a, b = ("Qwen3-1.7B", "dispersion"), ("Qwen3-1.7B", "train")
    two = ttest_ind_from_stats(means[a], spreads[a], 2, means[b], spreads[b], 2)
    assert found.loc[b].p == pytest.approx(two.pvalue)
