"""Heat maps and lines over depth: what they show can be read back from their axes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from looked_at import looked_at

from decondense import plots


def visible(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


@pytest.mark.parametrize(("n", "columns"), [(1, 4), (4, 4), (5, 4), (3, 2)])
def test_heatmaps_have_an_axis_a_model_and_a_colour_bar(result, n, columns):
    figure = looked_at(plots.heatmaps([result] * n, titles=[f"m{i}" for i in range(n)], columns=columns))
    *maps, bar = visible(figure)
    assert [axis.get_title() for axis in maps] == [f"m{i}" for i in range(n)]
    assert bar.get_ylabel() == "probability density"


def test_heatmap_is_the_histogram_with_the_papers_limits(result):
    density = np.zeros_like(result.histogram)
    density[:, 64:72] = 8.0
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


def test_colours_end_at_the_densest_pair_where_ten_would_leave_the_maps_blank(result):
    flat = replace(result, histogram=np.full_like(result.histogram, 0.5))
    image, other = (axis.images[0] for axis in plots.heatmaps([result, flat]).axes[:2])
    assert image.get_clim() == other.get_clim() == (0, result.histogram.max())


def test_long_titles_are_wrapped_and_six_maps_a_row_have_room_for_their_words(result):
    looked_at(plots.heatmaps([result] * 12, titles=[f"step {100 * n}" for n in range(12)], columns=6))
    figure = looked_at(plots.heatmaps([result] * 4, titles=["Qwen2.5-Coder-1.5B"] * 4))
    assert figure.axes[0].get_title() == "Qwen2.5-Coder-\n1.5B"


def test_mean_stands_in_the_middle_of_its_column(result):
    (line,) = plots.heatmaps([result]).axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_array_equal(line.get_ydata(), result.mu)


def test_heatmap_without_histogram_is_an_error(result):
    with pytest.raises(ValueError, match=r"toy was measured with histogram=None; measure it with 'pooled'"):
        plots.heatmaps([result, replace(result, histogram=None)])


def test_depth_profiles_have_a_line_a_model(result):
    (axis,) = looked_at(plots.depth_profiles([result, result], titles=["a", "b"])).axes
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), result.mu)
    assert axis.get_ylim()[1] == 1


def test_pairs_below_the_limits_of_the_paper_are_not_cut_off(condensation):
    spread = np.zeros_like(condensation.histogram)
    spread[:, 0] = spread.shape[1] / 2  # all pairs at -1
    (axis, *_) = plots.heatmaps([replace(condensation, histogram=spread)]).axes
    assert axis.get_ylim() == (-1, 1)


def test_layers_have_a_line_a_column():
    table = pd.DataFrame({"a": [0.0, -0.1, -0.2], "b": [0.0, 0.1, 0.2]})
    (axis,) = looked_at(plots.by_layer(table, "mu minus that of the default")).axes
    found = {line.get_label(): line for line in axis.lines[:2]}
    np.testing.assert_array_equal(found["b"].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(found["b"].get_ydata(), table["b"])
    assert axis.get_ylabel() == "mu minus that of the default"
    assert axis.get_xlabel() == "entry of the residual stream"
