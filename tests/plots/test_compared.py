"""Quantities compared: what the figures show can be read back from their axes."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from looked_at import looked_at
from matplotlib.colors import to_hex, to_rgb

from decondense import plots
from decondense.plots import BLUE, GREY, RED


def visible(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def lines(axis):
    """The lines with a name of their own."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("figure", [lambda: plots.heatmaps([]), lambda: plots.trends({})])
def test_no_result_is_said(figure):
    (axis,) = looked_at(figure()).axes
    assert axis.texts[0].get_text() == "no such model in this profile"


@pytest.mark.parametrize(("families", "columns"), [(1, 4), (5, 4)])
def test_trends_have_an_axis_a_family_and_both_correlations(result, families, columns):
    members = [replace(result, name="a"), replace(result, name="b")]
    figure = looked_at(plots.trends({f"f{i}": members for i in range(families)}, columns=columns))
    axes = visible(figure)
    assert [axis.get_title() for axis in axes] == [f"f{i}" for i in range(families)]
    lines = axes[0].lines[:2]
    assert [line.get_label() for line in lines] == ["Spearman ρ", "Kendall τ"]
    assert [to_hex(line.get_color()) for line in lines] == [plots.BLUE, plots.RED]
    np.testing.assert_allclose(lines[0].get_ydata(), [result.rho] * 2)
    bars = axes[0].collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [result.rho_interval] * 2)
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["a", "b"]


def test_trend_of_one_text_has_no_error_bars(result):
    one = replace(result, mu_per_text=result.mu_per_text[:1], tokens=result.tokens[:1],
                  mu_off_diagonal_per_text=result.mu_off_diagonal_per_text[:1])  # fmt: skip
    looked_at(plots.trends({"f": [one]}))


def test_a_grid_writes_each_text_in_its_field_in_ink_that_can_be_read():
    values = pd.DataFrame([[0.0, 1.0]], index=pd.Index(["a"], name="row"), columns=["x", "y"])
    figure, axis = plt.subplots()
    image = plots.grid(axis, values, values.astype(str), "Reds", (0, 1))
    plots.closed(figure)
    assert [(t.get_position(), t.get_text(), t.get_color()) for t in axis.texts] == [
        ((0.5, 0.5), "0.0", "0.15"),
        ((1.5, 0.5), "1.0", "white"),
    ]
    assert image.get_clim() == (0, 1)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["x", "y"]
    assert axis.get_ylabel() == "row"


def test_doses_have_a_dot_a_seed_and_a_line_through_the_means():
    table = pd.DataFrame({0: [0.9, 0.5, 0.1], 1: [0.7, np.nan, 0.3]}, index=["0", "0.1", "10"])
    figure = looked_at(plots.doses(table, "mean cosine", "weight"))
    (axis,) = figure.axes
    *dots, mean = axis.lines
    assert [line.get_linestyle() for line in dots] == ["None", "None"]
    assert [line.get_color() for line in [*dots, mean]] == [BLUE, BLUE, RED]
    np.testing.assert_array_equal(dots[1].get_ydata(), table[1])
    np.testing.assert_allclose(mean.get_ydata(), [0.8, 0.5, 0.2])
    assert mean.get_xdata().tolist() == [0, 1, 2]  # at equal distances
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "0.1", "10"]
    assert (axis.get_xlabel(), axis.get_ylabel(), legend(figure)) == ("weight", "mean cosine", ["mean over seeds"])


def test_curves_have_a_line_a_series_of_any_length():
    series = {"train": pd.Series([5.0, 4.0, 3.5], [1, 2, 3]), "dispersion": pd.Series([5.5, 4.5], [1, 2])}
    figure = looked_at(plots.curves(series, "step", "loss (nats)"))
    (axis,) = figure.axes
    assert legend(figure) == ["train", "dispersion"]
    for name, line in lines(axis).items():
        assert line.get_xdata().tolist() == series[name].index.tolist()
        assert line.get_ydata().tolist() == series[name].tolist()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "loss (nats)")
    assert len(axis.lines) == 2


@pytest.mark.parametrize("published", [None, [0.5, -1.0, 2.0]])
def test_differences_have_a_row_each_from_the_top(published):
    rows = {"train": [1.0, 0.5, 1.5], "l2_repel": [-0.5, -1.0, 0.25], "none": [3.0, 2.0, 4.0]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])
    (axis,) = looked_at(plots.differences(table, "points", published)).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["train", "l2_repel", "none"]
    assert axis.get_yticks().tolist() == [2, 1, 0]
    bars = axis.collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 0] for bar in bars], table[["low", "high"]])
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[2, 2], [1, 1], [0, 0]])
    found = lines(axis)
    here = found["here, 95 % interval over items"]
    assert here.get_xdata().tolist() == table["difference"].tolist()
    assert here.get_ydata().tolist() == [2, 1, 0]
    assert ("published" in found) == (published is not None)
    if published is not None:
        assert list(found["published"].get_xdata()) == published
        assert to_rgb(found["published"].get_color()) == to_rgb(GREY)
    assert axis.get_xlabel() == "points"


def test_differences_name_rows_of_two_levels_and_what_their_intervals_are_over():
    index = pd.MultiIndex.from_product([["GPT-2", "Qwen3"], ["dispersion", "more"]])
    table = pd.DataFrame({"difference": [1.0, 2, 3, 4], "low": [0.0, 1, 2, 3], "high": [2.0, 3, 4, 5]}, index=index)
    (axis,) = looked_at(plots.differences(table, "points", [1.17, np.nan, 1.17, np.nan], "seeds")).axes
    assert [text.get_text() for text in axis.get_yticklabels()][:2] == ["GPT-2, dispersion", "GPT-2, more"]
    assert set(lines(axis)) == {"here, 95 % interval over seeds", "published"}
    assert np.nansum(lines(axis)["published"].get_xdata()) == pytest.approx(2.34)
