"""Fig. 4 beside runs made up here: what each panel shows can be read back."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at
from made_condensations import made
from made_runs import along as run

from decondense import paper
from decondense.chapters.fig4 import figures

RISES, FALLING = made([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]), made([[0.3, 0.2, 0.1], [0.3, 0.2, 0.1]])


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def lines(axis, label):
    return [found for found in axis.lines if found.get_label() == label]


def test_the_level_comes_first_then_the_published_points_and_a_panel_a_label():
    runs = [run(label, s, [1.0, 0.6, 0.1, -0.4 + s / 10]) for label in ("small", "large") for s in (0, 1)]
    figure = looked_at(figures.paths(runs, [RISES, FALLING]))
    level, published, small, large = figure.axes
    titles = ["level: late-half μ, trained here", "order: Olmo-3-7B, published"]
    titles += [f"order: {label}, trained here" for label in ("small", "large")]
    assert [axis.get_title() for axis in figure.axes] == titles
    (late,) = lines(level, "small, trained here")
    np.testing.assert_allclose(late.get_ydata(), 0.505 - np.array([1, 10, 100]) / 1000)
    (rho,) = lines(small, "Spearman ρ, here")
    np.testing.assert_allclose(rho.get_ydata(), [0.6, 0.1, -0.35])
    assert rho.get_xdata().tolist() == [512, 5120, 51200]
    (untrained,) = lines(published, "Kendall τ, untrained here")
    np.testing.assert_allclose(untrained.get_ydata(), [1, -1])
    assert large.get_ylim() == published.get_ylim() == (-1.08, 1.08)


def test_published_points_are_all_there_grey_and_joined_within_a_stage():
    axis = figures.paths([]).axes[0]
    points = paper.training_run()
    assert [tick.get_text() for tick in axis.get_xticklabels()] == points.checkpoint.tolist()
    for symbol, metric in (("Spearman ρ", "spearman"), ("Kendall τ", "kendall")):
        stages = lines(axis, f"{symbol}, published")
        assert [len(stage.get_xdata()) for stage in stages] == [4, 4, 4, 1]
        np.testing.assert_allclose(np.concatenate([stage.get_ydata() for stage in stages]), points[metric])
        assert all(0 < float(stage.get_color()) < 1 for stage in stages)  # a shade of grey


def test_initialisation_stands_apart_at_the_left_with_its_spread():
    runs = [run("x", s, [first, 0.6, 0.1, 0.0]) for s, first in enumerate((0.9, 0.8, 1.0))]
    axis = figures.paths(runs).axes[2]
    (start,) = [found for found in axis.lines if found.get_marker() == "D" and found.get_ydata()[0] > 0.88]
    assert start.get_xdata()[0] < 512
    assert axis.get_xscale() == "log"
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["start", "$10^3$", "$10^4$"]
    np.testing.assert_allclose(axis.collections[0].get_segments()[0][:, 1], [0.8, 1.0])  # lowest to highest


def test_without_runs_the_published_points_stand_alone():
    figure = looked_at(figures.paths([]))
    assert [axis.get_title() for axis in figure.axes if axis.get_visible()] == ["order: Olmo-3-7B, published"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "Spearman ρ, published",
        "Kendall τ, published",
    ]
