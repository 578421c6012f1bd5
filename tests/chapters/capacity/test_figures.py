"""The figures show every arm, the data and the published number."""

import numpy as np
import pytest

from decondense.chapters.capacity import figures, readings


@pytest.fixture
def sizes(made, monkeypatch):
    for name in readings.QUANTITIES:
        if name != readings.HELD:
            monkeypatch.setitem(readings.QUANTITIES, name, lambda run: readings.held(run) / 10)
    found = {1.0: made.runs([1000, 1100], [900, 1000]), 2.0: made.runs([1900, 1800], [1500, 1400])}
    return {"larger": found, "smaller": found}


def test_what_is_held_lies_below_all_that_can_be_held(sizes):
    figure = figures.held(sizes)
    assert [axis.get_title() for axis in figure.axes] == ["larger", "smaller"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["train"].get_ydata(), [1.05, 1.85])
    np.testing.assert_allclose(lines["dispersion"].get_ydata(), [0.95, 1.45])
    np.testing.assert_allclose(lines["all that can be stored"].get_ydata(), [4, 4])
    assert lines["published"].get_ydata()[0] == 3.6


def test_the_geometry_has_a_line_an_arm_and_size(sizes):
    figure = figures.geometry(sizes)
    assert [axis.get_title() for axis in figure.axes] == ["late-half μ", "within, late half", "between, late half"]
    assert {line.get_label() for line in figure.axes[0].lines} == {
        "larger: train", "larger: dispersion", "smaller: train", "smaller: dispersion",
    }  # fmt: skip
    np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), [0.105, 0.185])
