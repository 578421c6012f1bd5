"""The audit of Tables 2, 3 and 5: against scipy and statsmodels, by hand, and with a table that was changed."""

import numpy as np
import pytest
from hypothesis import settings
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from decondense import paper
from decondense.chapters.audit import tables
from decondense.paper import accuracies
from decondense.paper.rounding import CONSISTENT, INCONSISTENT, OPEN
from decondense.stats import Interval

SETTINGS = settings(max_examples=50, derandomize=True)
NAN = float("nan")


# --- averages and ranks ---------------------------------------------------------------------------------------------


def test_every_average_fits_its_tasks():
    found = tables.averages()
    assert len(found) == 41
    assert set(found.outcome) == {CONSISTENT}
    row = found.loc[("Table 5", "Qwen3-0.6B", "dispersion")]
    assert (row.low, row.printed, row.high) == pytest.approx((35.96, 36.01, 36.06))


@pytest.mark.parametrize(("change", "expected"), [(0.04, CONSISTENT), (0.07, INCONSISTENT)])
def test_an_average_that_does_not_fit_is_found(monkeypatch, change, expected):
    changed = paper.table("table5_pretraining")
    changed.loc[(changed.condition == "train") & (changed.benchmark == "average"), "value"] += change
    original = paper.table
    monkeypatch.setattr(paper, "table", lambda name: changed if name == "table5_pretraining" else original(name))
    found = tables.averages()
    assert found.loc[("Table 5", "Qwen3-0.6B", "train"), "outcome"] == expected
    assert (found.outcome == CONSISTENT).sum() == 40 + (expected == CONSISTENT)


def test_printed_ranks_are_those_with_ties_at_their_best_place():
    found = tables.ranks()
    np.testing.assert_allclose(found["min"], found.printed)
    assert not np.allclose(found.average, found.printed, atol=0.05)
    by_hand = (
        accuracies.mid_trained()
        .loc["GPT2", list(accuracies.TASKS)]
        .rank(ascending=False, method="average")
        .mean(axis=1)
    )
    np.testing.assert_allclose(found.loc["GPT2"].average, by_hand)
    np.testing.assert_allclose(found.low, found["min"])  # equal printed values may stand in any order
    np.testing.assert_allclose(found.high, found["max"])


def test_bold_differs_from_the_best_in_one_column():
    (row,) = tables.bold().to_dict("records")
    assert row == {"model": "Qwen3-1.7B", "benchmark": "arc_challenge", "best": "none", "bold": "dispersion"}


# --- t-tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reading", "equal"), [("student", True), ("welch", False)])
def test_p_values_are_scipys_and_their_range_holds_all_values_within_rounding(reading, equal):
    p, span = tables.p_values(reading, (35.61, 0.12), (34.95, 0.11))
    expected = lambda a, s, b, r: scipy_stats.ttest_ind_from_stats(a, s, 3, b, r, 3, equal_var=equal).pvalue
    assert p == pytest.approx(expected(35.61, 0.12, 34.95, 0.11))
    drawn = np.array([35.61, 0.12, 34.95, 0.11]) + np.random.default_rng(0).uniform(-0.005, 0.005, (500, 4))
    values = [expected(*row) for row in drawn]
    assert span.low <= min(values) < p < max(values) <= span.high
    assert max(values) > p + 0.3 * (span.high - p)  # and it is not much wider than they are


def test_p_values_of_a_row_without_a_spread():
    one, _ = tables.p_values("one-sample", (35.61, 0.12), (34.35, NAN))
    assert one == pytest.approx(2 * scipy_stats.t.sf((35.61 - 34.35) / (0.12 / np.sqrt(3)), 2))
    three, _ = tables.p_values("student", (35.61, 0.12), (34.35, NAN))
    assert three == pytest.approx(scipy_stats.ttest_ind_from_stats(35.61, 0.12, 3, 34.35, 0, 3).pvalue)
    assert np.isnan(tables.p_values("one-sample", (35.61, 0.12), (34.35, 0.1))[0])
    with pytest.raises(ValueError, match=r"Unknown reading of a label 'students'\. Did you mean 'student'"):
        tables.p_values("students", (1.0, 1.0), (1.0, 1.0))


@pytest.mark.parametrize("reading", ["student", "welch", "one-sample"])
def test_without_any_spread_a_difference_is_certain(reading):
    other = (34.35, NAN if reading == "one-sample" else 0.0)
    p, span = tables.p_values(reading, (35.61, 0.0), other)
    assert p == span.low == 0
    assert 0 < span.high < 1e-3  # a spread of 0.00 may be one of 0.005


def test_p_values_know_the_number_of_runs():
    two, _ = tables.p_values("student", (35.61, 0.12), (34.95, 0.11), seeds=(3, 2))
    assert two == pytest.approx(scipy_stats.ttest_ind_from_stats(35.61, 0.12, 3, 34.95, 0.11, 2).pvalue)


@pytest.mark.parametrize(
    ("label", "p", "expected"),
    [
        ("p<0.01", (0.002, 0.009), CONSISTENT),
        ("p<0.01", (0.001, 0.009), CONSISTENT),
        ("p<0.01", (0.0009, 0.009), OPEN),  # a part would carry the next label
        ("p<0.01", (0.009, 0.0100), OPEN),
        ("p<0.01", (0.01, 0.02), INCONSISTENT),
        ("p<0.01", (0.0001, 0.0009), INCONSISTENT),
        ("n.s.", (0.05, 1.0), CONSISTENT),
        ("n.s.", (0.01, 0.049), INCONSISTENT),
        ("p<0.0001", (0.0, 0.00009), CONSISTENT),
    ],
)
def test_carries(label, p, expected):
    assert tables.carries(label, Interval(*p)) == expected


def test_labels_have_a_row_for_each_comparison_and_reading():
    found = tables.labels()
    assert found.groupby(["table", "reading"]).size().to_dict() == {
        ("Table 2", "student"): 28,
        ("Table 2", "welch"): 28,
        ("Table 2", "one-sample"): 4,
        ("Table 3", "student"): 1,
        ("Table 3", "welch"): 1,
    }
    assert (found.low <= found.p).all()
    assert (found.p <= found.high).all()
    group = found[(found.model == "GPT2") & (found.reading == "student") & (found.table == "Table 2")]
    np.testing.assert_allclose(group.holm, multipletests(group.p, method="holm")[1])
    np.testing.assert_allclose(group.holm_high, multipletests(group.high, method="holm")[1])


def test_labels_fit_students_test_but_for_one():
    found = tables.labels()
    student = found[(found.reading == "student") & (found.outcome == INCONSISTENT)]
    assert student[["model", "condition"]].to_numpy().tolist() == [["Qwen3-1.7B", "noisy_embedding"]]
    assert set(found[found.reading == "one-sample"].outcome) == {INCONSISTENT}


def test_labels_take_another_number_of_runs():
    row = lambda found: found[(found.model == "GPT2") & (found.condition == "train")].iloc[0]
    fewer = row(tables.labels({("GPT2", "train"): 2})).p
    assert fewer > row(tables.labels()).p
    assert row(tables.labels({("GPT2", "train"): 2, ("GPT2", "dispersion"): 2})).p > fewer
