"""Spheres: what is on the near side is where it is, what is on the far side is hidden and counted."""

import numpy as np
import pytest
from looked_at import looked_at

from decondense import plots
from decondense.plots import globes


@pytest.mark.parametrize(
    ("point", "azimuth", "elevation", "seen"),
    [
        ((1, 0, 0), 0, 0, (0, 0, 1)),  # the viewer looks along the first axis
        ((0, 1, 0), 0, 0, (1, 0, 0)),  # the second is at the right
        ((0, 0, 1), 0, 0, (0, 1, 0)),  # the third is up
        ((0, 1, 0), 90, 0, (0, 0, 1)),
        ((0, 0, 1), 25, 90, (0, 0, 1)),  # from above
        ((1, 0, 0), 180, 0, (0, 0, -1)),  # behind
    ],
)
def test_points_are_turned_toward_the_viewer(point, azimuth, elevation, seen):
    found = plots.toward_the_viewer(np.array([point], float), azimuth, elevation)
    np.testing.assert_allclose(found, [seen], atol=1e-12)


def test_turning_keeps_lengths_and_handedness():
    turned = plots.toward_the_viewer(np.eye(3), 35.0, 20.0)
    assert np.linalg.det(turned) == pytest.approx(1)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)


def circle(degrees, tokens=40):
    """Points at one angle to the mean direction, all around it."""
    around, angle = np.linspace(0, 2 * np.pi, tokens, endpoint=False), np.radians(degrees)
    flat = np.sin(angle) * np.stack([np.cos(around), np.sin(around)], 1)
    return np.column_stack([flat, np.full(tokens, np.cos(angle))])


def test_spheres_have_an_axis_each_and_say_the_angle():
    figure = looked_at(plots.spheres({"early": circle(30), "last": circle(60), "third": circle(10)}))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in shown] == ["early", "last", "third"]
    assert shown[0].texts[-1].get_text() == "mean angle 30°\n28 of 40 tokens on this side"


def test_only_tokens_on_the_near_side_are_drawn():
    points = circle(60)
    axis = plots.spheres({"all around": points}).axes[0]
    (dots,) = axis.collections
    at = dots.get_offsets()
    near = globes.in_front(plots.toward_the_viewer(points, np.degrees(np.arctan2(*points[:, 1::-1].mean(0)))))
    assert 0 < len(at) == near.sum() < len(points)
    assert (np.linalg.norm(at, axis=1) <= 1 + 1e-9).all()


def test_the_sphere_is_seen_from_the_side_of_most_tokens():
    (axis,) = plots.spheres({"left": np.array([[0, -1, 0], [0.0, -1, 0], [0, 1, 0]])}).axes
    assert len(axis.collections[0].get_offsets()) == 2


def test_the_ring_is_drawn_once_around_near_and_far():
    (axis,) = plots.spheres({"a": circle(45)}).axes
    far, near = (np.isfinite(line.get_xdata()) for line in axis.lines)
    assert (far ^ near).all()
    assert near.any()
    assert far.any()
