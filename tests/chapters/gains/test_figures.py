"""The figures of the gains show the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest

from decondense.chapters.gains import figures, selection, tables
from decondense.paper import accuracies

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_gains_have_a_panel_a_model_and_a_dot_a_task():
    by_task = {model: tables.gains(model) for model in accuracies.MID_TRAINED}
    figure = figures.gains(by_task)
    assert [axis.get_title() for axis in figure.axes] == list(accuracies.MID_TRAINED)
    for axis, table in zip(figure.axes, by_task.values(), strict=True):
        dots = next(line for line in axis.lines if line.get_marker() == "o")
        np.testing.assert_allclose(np.asarray(dots.get_xdata(), dtype=float), table.gain)


def test_power_has_a_panel_a_family_a_curve_a_share_and_a_line_a_gain():
    reported = pd.DataFrame({"model": ["GPT2-m", "Qwen3-0.6B", "Qwen3-1.7B"], "gain": [0.5, 1.0, 1.5]})
    figure = figures.power(reported, flips=(0.05, 0.1))
    assert [axis.get_xlabel().split("\n")[1] for axis in figure.axes] == [
        "GPT2: ten tasks of 553 items",
        "Qwen3: ten tasks of 222 items",
    ]
    for axis, printed in zip(figure.axes, ([0.5], [1.0, 1.5]), strict=True):
        curves, rest = axis.lines[:2], axis.lines[3:]  # after the line at a power of 0.8
        assert all(np.all(np.diff(curve.get_ydata()) > 0) for curve in curves)
        assert curves[0].get_ydata()[-1] > curves[1].get_ydata()[-1]  # fewer flips, more power
        assert [line.get_xdata()[0] for line in rest] == printed
    assert texts(figure.axes[1]) == ["Qwen3-0.6B", "Qwen3-1.7B"]


def test_spreads_have_a_point_a_row():
    table = tables.spreads()
    (axis,) = figures.spreads(table).axes
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in points) == len(table)
    assert axis.get_xlim() == axis.get_ylim()


def test_choice_shows_shift_spread_and_tests():
    by_checkpoints = selection.by_checkpoints(most=3, simulations=200)
    positives = selection.false_positives([1, 2], simulations=200)
    left, right = figures.choice(by_checkpoints, positives).axes
    assert len(left.lines) == 4
    np.testing.assert_allclose(right.lines[0].get_ydata(), positives.found)
