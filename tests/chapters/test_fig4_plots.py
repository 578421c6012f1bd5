"""Figures of training: what they show can be read back from their axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_fig4 import at, run

from decondense import paper
from decondense.chapters import fig4_plots


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def runs():
    return [run(label, s, [1.0, 0.6, 0.1, -0.4 + s / 10]) for label in ("small", "large") for s in (0, 1)]


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def line(axis, label):
    (found,) = [found for found in axis.lines if found.get_label() == label]
    return found


def test_untrained_has_a_panel_a_family_and_a_line_a_model():
    groups = {"GPT2": {"gpt2": [at(1.0), at(0.5)], "gpt2-xl": [at(0.9)]}, "Bloom": {"bloom-560m": [at(0.2)]}}
    figure = fig4_plots.untrained(groups)
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == ["GPT2", "Bloom"]
    assert legend(figure.axes[0]) == ["gpt2", "gpt2-xl"]
    mean = line(figure.axes[0], "gpt2")
    np.testing.assert_allclose(mean.get_ydata(), (at(1.0).mu + at(0.5).mu) / 2)
    assert mean.get_xdata()[[0, -1]].tolist() == [0, 1]


def test_training_has_the_published_points_a_panel_a_label_and_the_late_half(runs):
    points = paper.training_run()
    figure = fig4_plots.training(runs, points, [at(1.0), at(0.9)])
    figure.canvas.draw()
    published, small, large, late = figure.axes
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["Olmo-3-7B, published", "small", "large", "late half of the layers"]
    np.testing.assert_allclose(line(published, "ρ").get_ydata(), points.spearman)
    np.testing.assert_allclose(line(published, "τ, untrained here").get_ydata(), [at(1.0).tau, at(0.9).tau])
    assert [tick.get_text() for tick in published.get_xticklabels()] == points.checkpoint.tolist()
    np.testing.assert_allclose(line(small, "ρ").get_ydata(), [0.6, 0.1, -0.35])
    assert line(small, "ρ").get_xdata().tolist() == [512, 5120, 51200]
    assert legend(large) == ["ρ", "τ"]
    assert legend(late) == ["small", "large"]
    np.testing.assert_allclose(line(late, "small").get_ydata(), 0.505 - np.array([1, 10, 100]) / 1000)


def test_initialisation_stands_apart_at_the_left(runs):
    small = fig4_plots.training(runs, paper.training_run()).axes[1]
    (start,) = [found for found in small.lines if list(found.get_ydata()) == [1.0]]
    assert start.get_xdata()[0] < 512
    assert start.get_marker() == "D"
    assert small.get_xscale() == "log"
    assert [tick.get_text() for tick in small.get_xticklabels()] == ["start", "$10^3$", "$10^4$"]


def test_band_of_the_start_is_from_lowest_to_highest():
    runs = [run("x", s, [first, 0.6, 0.1, 0.0]) for s, first in enumerate((0.9, 0.8, 1.0))]
    axis = fig4_plots.training(runs, paper.training_run()).axes[1]
    bar = axis.collections[0].get_segments()[0]
    np.testing.assert_allclose(bar[:, 1], [0.8, 1.0])


def test_without_runs_the_published_points_stand_alone():
    figure = fig4_plots.training([], paper.training_run())
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == ["Olmo-3-7B, published"]
    assert legend(figure.axes[0]) == ["ρ", "τ"]
