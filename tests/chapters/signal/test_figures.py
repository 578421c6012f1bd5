"""The figures of the recursion show the numbers of its tables."""

import numpy as np
import pandas as pd
import pytest

from decondense.chapters.signal import figures
from decondense.chapters.signal.recursion import Propagation

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def test_predictions_have_a_panel_a_model(condensation):
    one = {"toy": Propagation(condensation.mu + 0.01, condensation.mu)}
    figure = figures.predictions([condensation, condensation], one, one)
    assert [axis.get_title() for axis in figure.axes if axis.get_visible()] == ["toy", "toy"]
    measured, predicted, _ = figure.axes[0].lines
    np.testing.assert_allclose(np.asarray(predicted.get_ydata()) - np.asarray(measured.get_ydata()), 0.01)


def test_drifts_draw_a_line_a_model():
    axis = figures.drifts(["GPT2", "Qwen3-8B"]).axes[0]
    assert [line.get_label() for line in axis.lines[:2]] == ["GPT2", "Qwen3-8B"]
    assert np.min(axis.lines[0].get_ydata()) > -1e-9
    assert np.min(axis.lines[1].get_ydata()) < 0


def test_maps_write_the_values():
    table = pd.DataFrame({64: [0.25, 0.5]}, index=pd.Index([1, 2], name="depth")).rename_axis(columns="width")
    figure = figures.maps({"a": table, "b": table})
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.25", "0.50"]


def test_against_draws_both():
    index = pd.Index([64, 128], name="width")
    table = pd.DataFrame({"predicted": [0.1, 0.2], "measured": [0.1, 0.3], "spread": [0.01, 0.02]}, index=index)
    axis = figures.against(table).axes[0]
    assert list(axis.lines[0].get_ydata()) == [0.1, 0.2]
    assert axis.get_xlabel() == "width"
