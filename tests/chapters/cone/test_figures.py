"""The figures of the page: what they draw, and what they leave empty."""

import numpy as np

from decondense.chapters.cone import figures


def test_trained_models_lie_above_their_twins(made):
    one, other = made.result(shared=1.0), made.result(own=1.0)
    axes = figures.trained_and_untrained({"a": one, "b": other}, {"a": other}).axes
    assert [axis.get_title() for axis in axes] == ["a", "b", "", ""]
    for axis, result in ((axes[0], one), (axes[1], other), (axes[2], other)):
        within, between = axis.lines
        np.testing.assert_array_equal(within.get_ydata(), result.controls["within"])
        np.testing.assert_array_equal(between.get_ydata(), result.controls["between"])
    assert not axes[3].lines


def test_without_a_model_the_figure_says_so():
    assert figures.trained_and_untrained({}, {}).axes[0].texts


def test_along_training_a_line_is_the_mean_over_the_seeds(made):
    runs = [made.run("train", s, after=(0.5 + 0.1 * s, 0.1)) for s in range(3)] + [made.run("x", 0)]
    axes = figures.along(runs).axes
    assert [axis.get_title() for axis in axes] == ["train", "x"]
    between = next(line for line in axes[0].lines if line.get_label() == "between texts")
    np.testing.assert_allclose(between.get_ydata(), [0.3, 0.6])
