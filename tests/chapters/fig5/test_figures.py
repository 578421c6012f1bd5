"""Fig. 5 as slopes: published pairs, measured ones, students."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at
from made_students import KINDS, result, taught
from matplotlib.colors import to_rgb

from decondense.chapters.fig5 import figures, pairs
from decondense.plots import GREY


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def lines(axis, label):
    return [line for line in axis.lines if line.get_label().startswith(label)]


def test_the_published_pairs_are_all_there_in_grey():
    figure = looked_at(figures.slopes({}, []))
    table = pairs.published()
    assert [axis.get_title() for axis in figure.axes] == ["Spearman ρ", "Kendall τ"]
    for axis in figure.axes:
        rows = table[table.metric == axis.get_title()]
        found = lines(axis, "published pair")
        np.testing.assert_allclose([line.get_ydata() for line in found], rows[["not distilled", "distilled"]])
        assert {to_rgb(line.get_color()) for line in found} == {to_rgb(GREY)}
        assert [text.get_text() for text in axis.texts] == ["1.5B", "7B", "14B", "32B"]


def test_students_are_a_mean_over_seeds_with_a_thin_line_each(condensation):
    runs = taught(condensation, **KINDS)
    figure = looked_at(figures.slopes({}, runs))
    (mean,) = lines(figure.axes[0], "students here")
    of = {label: [run.look().rho for run in runs if run.label == label] for label in ("cross-entropy", "logits")}
    np.testing.assert_allclose(mean.get_ydata(), [np.mean(values) for values in of.values()])
    thin = [line.get_ydata() for line in figure.axes[0].lines if line.get_linewidth() < 1]
    np.testing.assert_allclose(thin, np.array(list(of.values())).T)
    assert "students" in [text.get_text() for text in figure.axes[0].texts]


def test_a_measured_pair_is_beside_the_published_ones(condensation):
    plain, distilled = (result(condensation, name, shift) for name, shift in (("a", 0.0), ("b", -0.5)))
    figure = looked_at(figures.slopes({"7B": [plain, distilled]}, []))
    (pair,) = lines(figure.axes[1], "pair measured here")
    np.testing.assert_allclose(pair.get_ydata(), [plain.tau, distilled.tau])
    assert figure.axes[1].get_ylim()[0] < distilled.tau
    assert "7B, here" in [text.get_text() for text in figure.axes[1].texts]
