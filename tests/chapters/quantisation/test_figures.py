"""The figures show every arm and scheme."""

import pytest

from decondense.chapters.quantisation import figures


@pytest.fixture
def runs(made):
    costs = [{"W4": 0.001, "W2": 0.2, "W2, rotated": 0.1}, {"W4": 0.002, "W2": 0.3, "W2, rotated": 0.1}]
    return made.runs("train", costs) + made.runs("dispersion", costs[::-1])


def test_rotated_schemes_have_a_panel_of_their_own(runs):
    figure = figures.costs(runs)
    assert [axis.get_title() for axis in figure.axes] == ["as they are", "rotated"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["W4", "W2"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["W2"]
    means = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines if len(line.get_xdata()) == 2}
    assert means["train"].tolist() == pytest.approx([0.0015, 0.25])


def test_only_schemes_that_cost_enough_are_compared(runs):
    (axis,) = figures.saved(runs).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["W2", "W2, rotated"]
