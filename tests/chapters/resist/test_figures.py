"""The figures show every design, both arms, and the predictions."""

import numpy as np
import pytest

from decondense.chapters.resist import figures, readings


@pytest.fixture
def found(made, numbers, monkeypatch):
    monkeypatch.setattr(readings, "over_depth", lambda _, name, label: np.array([0.0, 0.1, 0.2]))
    return {"pre-norm": made.runs(0.2, 4.0, (0.1, 3.9)), "post-norm": made.runs(0.1, 4.1, (0.05, 4.0))}


def test_designs_are_ordered_by_their_late_half(found):
    figure = figures.compared(found)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["pre-norm", "post-norm"]
    means = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(means["plain"], [0.2005, 0.1005])
    costs = {line.get_label(): line.get_xdata() for line in figure.axes[1].lines}
    np.testing.assert_allclose(costs["plain"], [0, 0.1], atol=1e-9)
    np.testing.assert_allclose(costs["dispersion"], [-0.1, 0], atol=2e-3)


def test_depth_has_a_line_a_design(found):
    figure = figures.depth(found, list(found))
    assert [axis.get_title() for axis in figure.axes] == ["plain", "dispersion"]
    assert [line.get_label() for line in figure.axes[0].lines] == list(found)
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [0, 0.1, 0.2])


def test_before_training_predictions_lie_beside_measurements():
    predicted, measured = {"a": [0.1, 0.5], "b": [0.1, 0.3]}, {"a": [0.1, 0.52], "b": [0.12, 0.31]}
    left, right = figures.initial(predicted, measured).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b"]
    lines = {line.get_label(): line.get_xdata() for line in left.lines}
    np.testing.assert_allclose(lines["predicted"], [0.5, 0.3])
    np.testing.assert_allclose(lines["measured"], [0.52, 0.31])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.1, 0.52])
