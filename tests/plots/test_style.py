"""What all figures share."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looked_at import box, looked_at
from made_condensations import made
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from decondense import plots
from decondense.plots import style


def test_figures_are_closed_in_one_place():
    modules = sorted(Path(plots.__file__).parents[1].rglob("*.py"))
    assert [path.name for path in modules if "plt.close(" in path.read_text()] == ["style.py"]


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


def test_none_of_our_colours_is_grey_as_published_points_are():
    for colour in (*map(to_rgb, style.DISTINCT), to_rgb(plots.BLUE), to_rgb(plots.RED)):
        assert max(colour) - min(colour) > 0.15
    assert len(set(to_rgb(plots.GREY))) == 1


def contrast(colour):
    """With white, as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 1.05 / (np.dot(linear, (0.2126, 0.7152, 0.0722)) + 0.05)


@pytest.mark.parametrize("colour", [*style.DISTINCT, *plots.colours(4), "0.35"])
def test_letters_in_the_colour_of_a_line_can_be_read_on_white(colour):
    assert contrast(style.dark(colour)) >= 4.5


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=12), st.floats(0.01, 2))
def test_labels_are_spread_in_their_order_and_no_further_than_needed(at, apart):
    found = plots.spread(at, apart)
    order = np.argsort(at, kind="stable")
    assert (np.diff(found[order]) >= apart - 1e-9).all()
    if len(at) and (np.diff(np.sort(at)) >= apart).all():
        np.testing.assert_allclose(found, at, atol=1e-9)


def test_two_labels_at_one_place_move_by_half_their_distance_each():
    np.testing.assert_allclose(plots.spread([1.0, 1.0, 9.0], 0.5), [0.75, 1.25, 9.0])


def test_labels_at_the_ends_of_lines_do_not_hide_each_other():
    with plt.rc_context(plots.STYLE):
        figure, axis = plt.subplots(figsize=(4, 3), layout="constrained")
        axis.set(xlim=(0, 1), ylim=(0, 1))
        plots.label_ends(axis, [(0.5, f"line {n}", plots.RED) for n in range(5)], 1.0)
    looked_at(plots.closed(figure))
    places = [box(text).y0 for text in axis.texts]
    assert places == sorted(places)


def test_a_label_is_in_the_legend_once():
    figure, axes = plt.subplots(1, 2)
    for axis in axes:
        axis.plot([0, 1], label="both")
    plots.legend_below(plots.closed(figure))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["both"]


def test_every_column_has_tick_labels_at_its_lowest_axis():
    figure, axes = plt.subplots(2, 3, sharex=True)
    found = plots.lowest(axes, 4)
    plots.closed(figure)
    assert found == [axes[1, 0], axes[0, 1], axes[0, 2]]
    assert [axis.get_visible() for axis in axes.flat] == [True] * 4 + [False] * 2
    assert all(axis.xaxis.get_tick_params()["labelbottom"] for axis in found)


def test_names_are_cut_and_hold_no_mathematics():
    assert plots.names([made([[0.1, 0.2]], "a$b$"), made([[0.1, 0.2]], "x" * 50)]) == [r"a\$b\$", "x" * 35 + "…"]
