"""The cone over depth: a frame has a sphere per model, each at the entry that lies at the same share of its depth."""

import numpy as np
import pytest

from decondense import plots
from decondense.chapters.fig1 import figures
from decondense.chapters.fig1.measurements import Cones


def cones(*entries):
    """A model of which these entries are kept; the points of each are its number, in a way."""
    depths = {entry: np.tile([0.0, 0.6, 0.8], (entry + 1, 1)) for entry in entries}
    return Cones(depths, None)


@pytest.fixture
def frames(monkeypatch):
    """What is shown instead of being drawn: the frames by their label, each the titles and numbers of points."""
    monkeypatch.setattr(plots, "spheres", lambda points: {title: len(xyz) for title, xyz in points.items()})
    monkeypatch.setattr(plots, "slider", lambda frames, name, what: (frames, name, what))
    drawn = {"pocket-small": cones(0, 1, 2, 3, 4), "large": cones(0, 1, 3, 6, 9, 12, 15, 18, 21, 24)}
    return figures.over_depth(drawn, "fig1-cone")


def test_depth_goes_from_the_embedding_to_the_last_entry(frames):
    found, name, what = frames
    assert (name, what) == ("fig1-cone", "depth")
    assert list(found) == ["0%", "12%", "25%", "38%", "50%", "62%", "75%", "88%", "100%"]
    assert list(found["0%"]) == ["pocket-small\nentry 0 of 4", "large\nentry 0 of 24"]
    assert list(found["100%"].values()) == [5, 25]


def test_each_model_is_shown_at_its_own_entry(frames):
    assert list(frames[0]["25%"].values()) == [1 + 1, 6 + 1]
    assert list(frames[0]["62%"]) == ["pocket-small\nentry 2 of 4", "large\nentry 15 of 24"]


def test_frames_are_drawn():
    html = figures.over_depth({"pocket-small": cones(0, 1, 2)}, "fig1-cone").data
    assert html.count("<img") == 9
