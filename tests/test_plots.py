"""Figures: what they show can be read back from their axes."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from decondense import plots
from decondense.plots import BLUE, RED


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def result(condensation):
    """The toy result with the paper's 128 bins."""
    density = np.random.default_rng(0).uniform(0.1, 1, (5, 128))
    return replace(condensation, histogram=density / density.sum(1, keepdims=True) * 64)


def visible(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def drawn(figure):
    """Drawing finds errors that building does not."""
    figure.canvas.draw()
    assert isinstance(figure, Figure)
    return figure


@pytest.mark.parametrize(("n", "columns"), [(1, 4), (4, 4), (5, 4), (3, 2)])
def test_heatmaps_have_an_axis_a_model_and_a_colour_bar(result, n, columns):
    figure = drawn(plots.heatmaps([result] * n, titles=[f"m{i}" for i in range(n)], columns=columns))
    *maps, bar = visible(figure)
    assert [axis.get_title() for axis in maps] == [f"m{i}" for i in range(n)]
    assert bar.get_ylabel() == "probability density"


def test_heatmap_is_the_histogram_with_the_papers_limits(result):
    density = np.zeros_like(result.histogram)
    density[:, 64:] = 1.0
    result = replace(result, histogram=density)
    axis = plots.heatmaps([result]).axes[0]
    (image,) = axis.images
    assert image.get_array().shape == (128, 5)
    np.testing.assert_array_equal(image.get_array(), result.histogram.T)
    assert image.origin == "lower"
    assert tuple(image.get_extent()) == (0, 1, -1, 1)
    assert image.get_clim() == (0, 10)
    assert image.get_cmap().name == "Reds"
    assert axis.get_ylim() == (-0.25, 1)
    assert axis.get_xlim() == (0, 1)


def test_mean_stands_in_the_middle_of_its_column(result):
    (line,) = plots.heatmaps([result]).axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_array_equal(line.get_ydata(), result.mu)


def test_heatmap_without_histogram_is_an_error(result):
    with pytest.raises(ValueError, match=r"toy was measured with histogram=None; measure it with 'pooled'"):
        plots.heatmaps([result, replace(result, histogram=None)])


@pytest.mark.parametrize("figure", [lambda: plots.heatmaps([]), lambda: plots.trends({})])
def test_no_result_is_said(figure):
    (axis,) = drawn(figure()).axes
    assert axis.texts[0].get_text() == "no such model in this profile"


@pytest.mark.parametrize(("families", "columns"), [(1, 4), (5, 4)])
def test_trends_have_an_axis_a_family_and_both_correlations(result, families, columns):
    members = [replace(result, name="a"), replace(result, name="b")]
    figure = drawn(plots.trends({f"f{i}": members for i in range(families)}, columns=columns))
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
    drawn(plots.trends({"f": [one]}))


def test_depth_profiles_have_a_line_a_model(result):
    (axis,) = drawn(plots.depth_profiles([result, result], titles=["a", "b"])).axes
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), result.mu)
    assert axis.get_ylim()[1] == 1


def test_lines_have_a_line_a_column():
    table = pd.DataFrame({"a": [0.1, 0.2], "b": [0.3, 0.4]}, index=["x", "y"])
    (axis,) = drawn(plots.lines(table, "mean", "model")).axes
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("model", "mean")


def test_spheres_have_an_axis_each_and_say_the_angle():
    points = np.array([[np.sin(a), 0, np.cos(a)] for a in np.radians([20, 40])])
    figure = drawn(plots.spheres({"early": points, "last": points, "third": points}))
    assert [axis.get_title() for axis in figure.axes] == ["early", "last", "third"]
    assert "mean angle 30°" in [text.get_text() for text in figure.axes[0].texts]


def test_figures_are_closed_in_one_place():
    modules = sorted(Path(plots.__file__).parent.glob("*.py"))
    assert [path.name for path in modules if "plt.close(" in path.read_text()] == ["plots.py"]


def test_pairs_below_the_limits_of_the_paper_are_not_cut_off(condensation):
    spread = np.zeros_like(condensation.histogram)
    spread[:, 0] = spread.shape[1] / 2  # all pairs at -1
    (axis, *_) = plots.heatmaps([replace(condensation, histogram=spread)]).axes
    assert axis.get_ylim() == (-1, 1)


def test_colours_are_evenly_spaced_in_a_colormap_without_its_ends():
    found = plots.colours(3)
    assert found == [colormaps["viridis"](x)[:3] for x in (0.25, 0.5, 0.75)]
    assert plots.colours(1, "Reds") == [colormaps["Reds"](0.5)[:3]]
    assert plots.colours(0) == []


def test_qualitative_colours_keep_their_place():
    found = plots.colours(11, "colorblind")
    assert len(set(found)) == 10
    assert found[:3] == plots.colours(3, "colorblind")
    assert found[10] == found[0]


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


# --- training ---------------------------------------------------------------------------------------------------------


def lines(axis):
    """The lines with a name of their own."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_doses_have_a_dot_a_seed_and_a_line_through_the_means():
    table = pd.DataFrame({0: [0.9, 0.5, 0.1], 1: [0.7, np.nan, 0.3]}, index=["0", "0.1", "10"])
    (axis,) = drawn(plots.doses(table, "mean cosine", "weight")).axes
    *dots, mean = axis.lines
    assert [line.get_linestyle() for line in dots] == ["None", "None"]
    assert [line.get_color() for line in [*dots, mean]] == [BLUE, BLUE, RED]
    np.testing.assert_array_equal(dots[1].get_ydata(), table[1])
    np.testing.assert_allclose(mean.get_ydata(), [0.8, 0.5, 0.2])
    assert mean.get_xdata().tolist() == [0, 1, 2]  # at equal distances
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "0.1", "10"]
    assert (axis.get_xlabel(), axis.get_ylabel(), legend(axis)) == ("weight", "mean cosine", ["mean over seeds"])


def test_layers_have_a_line_a_column():
    table = pd.DataFrame({"a": [0.0, -0.1, -0.2], "b": [0.0, 0.1, 0.2]})
    (axis,) = drawn(plots.by_layer(table, "mu minus that of the default")).axes
    found = lines(axis)
    assert legend(axis) == ["a", "b"]
    np.testing.assert_array_equal(found["b"].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(found["b"].get_ydata(), table["b"])
    assert axis.get_ylabel() == "mu minus that of the default"
    assert axis.get_xlabel() == "entry of the residual stream"


def test_curves_have_a_line_a_series_of_any_length():
    series = {"train": pd.Series([5.0, 4.0, 3.5], [1, 2, 3]), "dispersion": pd.Series([5.5, 4.5], [1, 2])}
    (axis,) = drawn(plots.curves(series, "step", "loss (nats)")).axes
    assert legend(axis) == ["train", "dispersion"]
    for name, line in lines(axis).items():
        assert line.get_xdata().tolist() == series[name].index.tolist()
        assert line.get_ydata().tolist() == series[name].tolist()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "loss (nats)")
    assert len(axis.lines) == 2


@pytest.mark.parametrize("published", [None, [0.5, -1.0, 2.0]])
def test_differences_have_a_row_each_from_the_top(published):
    rows = {"train": [1.0, 0.5, 1.5], "l2_repel": [-0.5, -1.0, 0.25], "none": [3.0, 2.0, 4.0]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])
    (axis,) = drawn(plots.differences(table, "points", published)).axes
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
        assert to_rgb(found["published"].get_color()) == to_rgb(RED)
    assert axis.get_xlabel() == "points"


def test_differences_name_rows_of_two_levels_and_what_their_intervals_are_over():
    index = pd.MultiIndex.from_product([["GPT-2", "Qwen3"], ["dispersion", "more"]])
    table = pd.DataFrame({"difference": [1.0, 2, 3, 4], "low": [0.0, 1, 2, 3], "high": [2.0, 3, 4, 5]}, index=index)
    (axis,) = drawn(plots.differences(table, "points", [1.17, np.nan, 1.17, np.nan], "seeds")).axes
    assert [text.get_text() for text in axis.get_yticklabels()][:2] == ["GPT-2, dispersion", "GPT-2, more"]
    assert set(lines(axis)) == {"here, 95 % interval over seeds", "published"}
    assert np.nansum(lines(axis)["published"].get_xdata()) == pytest.approx(2.34)
