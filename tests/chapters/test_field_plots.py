"""Figures of losses and training: what they show can be read back from their axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from decondense.chapters import field_plots
from decondense.losses import forces
from decondense.plots import BLUE, RED


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def drawn(figure):
    """Drawing finds errors that building does not."""
    figure.canvas.draw()
    assert isinstance(figure, Figure)
    return figure


def lines(axis):
    """The lines with a name of their own."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def ticks(axis):
    return [label.get_text() for label in axis.get_xticklabels()]


def test_forces_are_divided_by_their_largest_size():
    table = pd.DataFrame({"a": [1.0, -4.0, 2.0], "b": [0.1, 0.2, 0.1]}, index=[10, 90, 170])
    (axis,) = drawn(field_plots.forces(table)).axes
    found = lines(axis)
    np.testing.assert_allclose(found["a"].get_ydata(), [0.25, -1, 0.5])
    np.testing.assert_allclose(found["b"].get_ydata(), [0.5, 1, 0.5])
    assert found["a"].get_xdata().tolist() == [10, 90, 170]
    assert legend(axis) == ["a", "b"]
    assert found["a"].get_color() != found["b"].get_color()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("angle between two tokens (degrees)", "force, apart is positive")


def test_a_loss_without_force_draws_nothing():
    table = pd.DataFrame({"a": [0.0, 0.0], "b": [1.0, 2.0]})
    (axis,) = drawn(field_plots.forces(table)).axes
    assert np.isnan(lines(axis)["a"].get_ydata()).all()


def globe_parts(axis):
    """The globe, the dots and, where there are any, the arrows."""
    globe, dots, *arrows = axis.collections
    return globe, np.stack(dots._offsets3d, axis=1), arrows


@pytest.mark.parametrize("count", [1, 3])
def test_vector_fields_have_a_globe_a_dot_and_an_arrow_for_each_token(count):
    cloud = forces.cloud(7)
    places = {f"loss {i}": cloud.numpy() for i in range(count)}
    pushes = {name: (i + 1) * forces.force("dispersion", cloud).numpy() for i, name in enumerate(places)}
    figure = drawn(field_plots.vector_fields(places, pushes, length=0.3))
    assert [axis.get_title() for axis in figure.axes] == list(places)
    for axis in figure.axes:
        assert axis.name == "3d"
        _, dots, (arrows,) = globe_parts(axis)
        np.testing.assert_allclose(dots, cloud.numpy())
        assert to_hex(arrows.get_color()[0]) == RED
        heads, tails = np.stack(arrows._segments3d[:7], axis=1)  # the shafts come first
        np.testing.assert_allclose(tails, cloud.numpy())
        pushed = heads - tails
        assert np.linalg.norm(pushed, axis=1).max() == pytest.approx(0.3)
        expected = pushes["loss 0"] / np.linalg.norm(pushes["loss 0"], axis=1).max() * 0.3
        np.testing.assert_allclose(pushed, expected)


def test_no_force_is_drawn_without_a_warning():
    places = {"none": np.eye(3)}
    (axis,) = drawn(field_plots.vector_fields(places, {"none": np.zeros((3, 3))})).axes
    np.testing.assert_allclose(globe_parts(axis)[1], np.eye(3))


@pytest.mark.parametrize("count", [1, 2])
def test_places_are_the_directions_at_one_moment(count):
    moments = {f"loss {i}": forces.flow("l2_repel", forces.cloud(9, seed=i), steps=3) for i in range(count)}
    figure = drawn(field_plots.places(moments, 2))
    assert [axis.get_title() for axis in figure.axes] == list(moments)
    for axis, path in zip(figure.axes, moments.values(), strict=True):
        _, dots, arrows = globe_parts(axis)
        assert arrows == []
        np.testing.assert_allclose(dots, path[2] / np.linalg.norm(path[2], axis=1, keepdims=True))


def test_doses_have_a_dot_a_seed_and_a_line_through_the_means():
    table = pd.DataFrame({0: [0.9, 0.5, 0.1], 1: [0.7, np.nan, 0.3]}, index=["0", "0.1", "10"])
    (axis,) = drawn(field_plots.doses(table, "mean cosine", "weight")).axes
    *dots, mean = axis.lines
    assert [line.get_linestyle() for line in dots] == ["None", "None"]
    assert [line.get_color() for line in [*dots, mean]] == [BLUE, BLUE, RED]
    np.testing.assert_array_equal(dots[1].get_ydata(), table[1])
    np.testing.assert_allclose(mean.get_ydata(), [0.8, 0.5, 0.2])
    assert mean.get_xdata().tolist() == [0, 1, 2]  # at equal distances
    assert ticks(axis) == ["0", "0.1", "10"]
    assert (axis.get_xlabel(), axis.get_ylabel(), legend(axis)) == ("weight", "mean cosine", ["mean over seeds"])


def test_layers_have_a_line_a_column():
    table = pd.DataFrame({"a": [0.0, -0.1, -0.2], "b": [0.0, 0.1, 0.2]})
    (axis,) = drawn(field_plots.by_layer(table, "mu minus that of the default")).axes
    found = lines(axis)
    assert legend(axis) == ["a", "b"]
    np.testing.assert_array_equal(found["b"].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(found["b"].get_ydata(), table["b"])
    assert axis.get_ylabel() == "mu minus that of the default"
    assert axis.get_xlabel() == "entry of the residual stream"


def test_curves_have_a_line_a_run():
    tables = {
        "train": pd.DataFrame({"step": [1, 2, 3], "loss": [5.0, 4.0, 3.5], "loss_language": [1.0, 1, 1]}),
        "dispersion": pd.DataFrame({"step": [1, 2], "loss": [5.5, 4.5], "loss_language": [1.0, 1]}),
    }
    (axis,) = drawn(field_plots.curves(tables, "loss", "loss (nats)")).axes
    assert legend(axis) == ["train", "dispersion"]
    for name, line in lines(axis).items():
        assert line.get_xdata().tolist() == tables[name]["step"].tolist()
        assert line.get_ydata().tolist() == tables[name]["loss"].tolist()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "loss (nats)")


@pytest.mark.parametrize("published", [None, [0.5, -1.0, 2.0]])
def test_gains_have_a_row_a_condition_from_the_top(published):
    rows = {"train": [1.0, 0.5, 1.5], "l2_repel": [-0.5, -1.0, 0.25], "none": [3.0, 2.0, 4.0]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])
    (axis,) = drawn(field_plots.gains(table, "points", published)).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["train", "l2_repel", "none"]
    assert axis.get_yticks().tolist() == [2, 1, 0]
    bars = axis.collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 0] for bar in bars], table[["low", "high"]])
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[2, 2], [1, 1], [0, 0]])
    found = lines(axis)
    here = found["here, 95 % interval over items"]
    assert here.get_xdata().tolist() == table["difference"].tolist()
    assert here.get_ydata().tolist() == [2, 1, 0]
    assert ("published" in found) == (published is not None)
    if published is not None:
        assert list(found["published"].get_xdata()) == published
        assert to_rgb(found["published"].get_color()) == to_rgb(RED)
    assert axis.get_xlabel() == "points"
