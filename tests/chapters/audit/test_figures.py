"""The figures of the audit show the numbers of its tables."""

import numpy as np
import pytest

from decondense.chapters.audit import figures, runs

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_runs_map_writes_counts_and_chance():
    found, chance = runs.runs(), runs.runs_by_chance()
    figure = figures.runs_map(found, chance)
    axis = figure.axes[0]
    assert len(texts(axis)) == found.size
    first = f"{found.iloc[0, 0]}  ({chance.iloc[0, 0]:.1f})"
    assert texts(axis)[0] == first
    assert [label.get_text() for label in axis.get_yticklabels()][-1] == "GPT2  second half (Table 3)"
    assert [label.get_text() for label in axis.get_xticklabels()] == [n.replace(", ", "\n") for n in found.columns]


def test_cells_map_is_dark_where_the_rule_forbids():
    cells = runs.cells()
    figure = figures.cells_map(cells, "mean of 3")
    axis = figure.axes[0]
    shown = np.asarray(axis.images[0].get_array()).ravel()
    assert shown.sum() == (~cells["mean of 3"]).sum()
    dark = [text for text, value in zip(texts(axis), shown, strict=True) if value]
    expected = cells[~cells["mean of 3"]]
    assert sorted(dark) == sorted(f"{m:.1f} ± {s:.1f}" for m, s in zip(expected["mean"], expected["std"], strict=True))
