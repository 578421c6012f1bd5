"""The figures of a series of sizes show what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from made_runs import made

from decondense.chapters import fig3
from decondense.plots import BLUE, RED
from decondense.runs import readings


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def runs():
    ends = {"8": (0.9, 0.8), "32": (0.3, -0.5)}
    return [
        made(label, seed, [8.0, 6.0, 5.0], rho=[1.0, 0.95, rho])
        for label, of in ends.items()
        for seed, rho in enumerate(of)
    ]


def test_readings_have_two_panels_a_table_with_a_dot_a_seed(runs):
    low = readings.at_checkpoint(runs).assign(rho=-0.9)
    tables = {"end": readings.at_checkpoint(runs), "low": low}
    figure = fig3.readings(tables, "MLP width")
    figure.canvas.draw()
    above, other, below, _ = figure.axes
    assert [above.get_title(), other.get_title()] == ["end", "low"]
    lines = {line.get_label(): line for line in above.lines if line.get_label() in readings.SYMBOLS.values()}
    assert {name: line.get_color() for name, line in lines.items()} == {"Spearman ρ": BLUE, "Kendall τ": RED}
    np.testing.assert_allclose(lines["Spearman ρ"].get_ydata(), [0.85, -0.1])
    seeds = [line for line in above.lines if line.get_marker() == "o" and line.get_color() == BLUE]
    np.testing.assert_allclose([line.get_ydata() for line in seeds], [[0.9, 0.3], [0.8, -0.5]])
    np.testing.assert_allclose(below.lines[-1].get_ydata(), [0.425, -0.05])
    assert [label.get_text() for label in above.get_xticklabels()] == ["8", "32"]
    assert above.get_ylim()[0] == other.get_ylim()[0] < -0.9  # nothing is cut off
    assert above.get_ylim()[1] > 1


def test_profiles_have_a_panel_a_table_and_a_line_a_column():
    tables = {"published": pd.DataFrame({"64": [0.0, 0.4, 0.5]}), "here": pd.DataFrame({"8": [0.1, 0.2], "32": [0, 1]})}
    figure = fig3.profiles(tables)
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == ["published", "here"]
    assert [len(axis.lines) for axis in figure.axes] == [1, 2]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.0, 0.4, 0.5])
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["8", "32"]


def test_paths_run_over_the_loss_with_one_name_a_label(runs):
    figure = fig3.paths(runs, 5.5)
    figure.canvas.draw()
    left, right = figure.axes
    *lines, dashed = left.lines
    np.testing.assert_allclose(lines[3].get_ydata(), [1.0, 0.95, -0.5])
    assert lines[0].get_xdata().tolist() == [8.0, 6.0, 5.0]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert set(dashed.get_xdata()) == {5.5}
    assert left.get_xlim()[0] > left.get_xlim()[1]  # training goes to the right
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["8", "32"]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.5, 0.475, 0.45])
