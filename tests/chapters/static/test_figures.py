"""The figures draw what they are given."""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt

from decondense.chapters.static import figures, tables

spec = importlib.util.spec_from_file_location("made_static", Path(__file__).with_name("made.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def test_frequency_has_a_panel_for_each_embedding():
    figure = figures.frequency({"a": made.embedding(tie=0.4), "b": made.embedding(tie=-0.4)})
    assert [axis.get_title().split("\n")[0] for axis in figure.axes] == ["a", "b"]
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[5, 0.1], [50, 0.2], [500, 0.3]]
    assert all(axis.get_ylim() == (-0.05, 1) for axis in figure.axes)
    assert "+0.4" in figure.axes[0].get_title()
    assert not plt.get_fignums()


def test_depth_has_a_line_for_each_cure():
    one = made.model()
    figure = figures.over_depth(one.mu, one.rank)
    for axis, table in zip(figure.axes, (one.mu, one.rank), strict=True):
        for line, cure in zip(axis.lines, tables.CURES, strict=False):
            assert line.get_label() == cure
            assert line.get_ydata().tolist() == table[cure].tolist()
