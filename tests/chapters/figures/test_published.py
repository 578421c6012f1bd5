"""Consistency of the published figures: bounds against scipy and random values, and series by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from decondense import paper, stats
from decondense.chapters.figures import published
from decondense.chapters.figures.permutation import monotone_permutation_p
from decondense.paper.rounding import CONSISTENT

SETTINGS = settings(max_examples=50, derandomize=True)


def test_points_shown_twice_agree():
    found = published.shared_points()
    assert found.groupby(["figure_a", "figure_b"]).size().to_dict() == {("Fig2", "Fig5"): 4, ("Fig2", "FigS2"): 8}
    assert set(found.outcome) == {CONSISTENT}


def test_points_that_differ_are_found(monkeypatch):
    points = paper.table("figure_points")
    chosen = (points.figure == "Fig5") & (points.model == "Qwen2.5-32B") & (points.metric == "kendall")
    points.loc[chosen, "value"] += 0.01
    monkeypatch.setattr(paper, "table", lambda name: points)
    found = published.shared_points()
    odd = found[found.outcome == published.APART]
    assert odd[["model", "metric"]].to_numpy().tolist() == [["Qwen2.5-32B", "kendall"]]


def test_heatmaps_shown_twice_agree():
    found = published.shared_heatmaps()
    assert found.entries.to_dict() == {"GPT2": 13, "GPT2-xl": 49}
    assert set(found.outcome) == {CONSISTENT}


def test_modes_shown_twice_agree_and_one_that_is_moved_does_not(monkeypatch):
    found = published.shared_modes()
    assert found.entries.to_dict() == {"GPT2": 13, "GPT2-xl": 49}
    assert (found.agreeing == found.entries).all()
    table = paper.table("figure_heatmap_modes")
    table.loc[0, "cosine_mode"] += 0.2
    monkeypatch.setattr(paper, "table", lambda name: table)
    assert published.shared_modes().agreeing["GPT2"] == 12


def test_trend_bounds_are_scipys_where_no_values_overlap():
    values = np.random.default_rng(0).normal(size=13)
    rho, tau = published.trend_bounds(values - 1e-9, values + 1e-9)
    place = np.arange(13)
    assert rho == pytest.approx([spearmanr(place, values).statistic] * 2)
    assert tau == pytest.approx([kendalltau(place, values).statistic] * 2)


@SETTINGS
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), st.floats(0.01, 0.5), st.integers(0, 2**32 - 1))
def test_trend_bounds_hold_every_value_within_the_errors(centres, error, seed):
    centres = np.array(centres)
    values = centres + np.random.default_rng(seed).uniform(-error, error, len(centres))
    if len(set(values)) < len(values):
        return  # ties have no order, and the bounds speak of orders
    rho, tau = published.trend_bounds(centres - error, centres + error)
    place = np.arange(len(values))
    assert rho.low - 1e-9 <= spearmanr(place, values).statistic <= rho.high + 1e-9
    assert tau.low - 1e-9 <= kendalltau(place, values).statistic <= tau.high + 1e-9


def test_trend_bounds_without_any_information():
    rho, tau = published.trend_bounds(np.zeros(5), np.ones(5))
    assert rho == pytest.approx((-1, 1))
    assert tau == pytest.approx((-1, 1))


def test_one_heat_map_does_not_give_its_correlations():
    found = published.heatmap_trends()
    assert len(found) == 12
    odd = found[found.outcome == published.APART]
    assert odd[["model", "metric"]].to_numpy().tolist() == [["MLP64", "spearman"], ["MLP64", "kendall"]]
    assert (odd.high < odd.value - odd.error).all()


def test_falls_have_the_exact_share_of_orderings():
    found = published.falls().set_index(["figure", "family", "text", "metric"])
    assert len(found) == 20
    gpt2 = found.loc[("Fig2", "GPT2", "wikitext-103", "spearman")]
    assert (gpt2.n, gpt2.rises, gpt2.p, gpt2.least) == (4, 1, pytest.approx(4 / 24), pytest.approx(1 / 24))
    bloom = found.loc[("Fig2", "Bloom", "wikitext-103", "spearman")]
    assert (bloom.low, bloom.high) == (pytest.approx(1 / 120), pytest.approx(5 / 120))  # two values overlap
    assert (found.low <= found.p).all()
    assert (found.p <= found.high).all()


def test_holm_is_taken_over_different_series():
    found = published.falls()
    again = (found.figure == "FigS2") & (found.text == "wikitext-103")
    assert found.holm.isna().equals(again)
    worst = found[~again].groupby(["figure", "family", "text"], sort=False)[["high", "holm"]].max()
    assert len(worst) == 9
    assert worst.holm.tolist() == pytest.approx(stats.holm(worst.high).tolist())


def test_corners_move_only_what_overlaps():
    corners = published._corners(np.array([1.0, 0.99, 0.5]), np.array([0.01, 0.01, 0.01]))
    assert len(corners) == 4
    assert {corner[2] for corner in corners} == {0.5}
    assert any(corner[0] < corner[1] for corner in corners)
    (alone,) = published._corners(np.array([1.0, 0.5]), np.array([0.01, 0.01]))
    np.testing.assert_array_equal(alone, [1.0, 0.5])


def test_families_together_is_fishers_sum():
    trends = [paper.trend("Fig2", "spearman", family) for family in ("GPT2", "Qwen2.5", "Bloom", "Qwen3")]
    p = [monotone_permutation_p(trend.value) for trend in trends]
    from scipy.stats import chi2

    assert published.families_together("spearman") == pytest.approx(chi2.sf(-2 * np.log(p).sum(), 8))
