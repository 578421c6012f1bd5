"""Figures and the animation: what they show can be read back, and nothing comes from outside."""

import base64
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from elements import elements
from looked_at import looked_at
from matplotlib.colors import to_hex

from decondense.chapters.table1 import figures
from decondense.losses import forces
from decondense.plots import RED, toward_the_viewer

NAMES = ["dispersion", "l2_repel"]
CLOUD = forces.cloud(9)


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def flows(steps=7):
    return {name: forces.flow(name, CLOUD, steps) for name in NAMES}


def test_forces_are_divided_by_their_largest_size():
    table = pd.DataFrame({"a": [1.0, -4.0, 2.0], "b": [0.1, 0.2, 0.1], "none": 0.0}, index=[10, 90, 170])
    figure = figures.force_curves(table)
    looked_at(figure)
    a, b, none = (line.get_ydata() for line in figure.axes[0].lines[:3])
    np.testing.assert_allclose(a, [0.25, -1, 0.5])
    np.testing.assert_allclose(b, [0.5, 1, 0.5])
    assert np.isnan(none).all()


@pytest.mark.parametrize(("names", "titles"), [(NAMES, ["dispersion", "ℓ₂-repel"]), (["orthogonalization"],) * 2])
def test_vector_fields_have_a_dot_and_an_arrow_for_each_token_on_the_near_side(names, titles):
    figure = looked_at(figures.vector_fields(names, CLOUD, length=0.3))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in shown] == titles
    at = toward_the_viewer(CLOUD.numpy(), figures.AZIMUTH)
    near = at[:, 2] >= 0
    assert near.sum() > 0
    for axis, name in zip(shown, names, strict=True):
        dots, arrows = axis.collections
        np.testing.assert_allclose(dots.get_offsets(), at[near, :2])
        assert to_hex(arrows.get_facecolor()[0]) == RED
        push = forces.force(name, CLOUD).numpy()
        longest = toward_the_viewer(push / np.linalg.norm(push, axis=1).max() * 0.3, figures.AZIMUTH)
        np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), longest[near, :2])


def test_no_force_is_drawn_without_a_warning():
    figures.vector_fields(["orthogonalization"], torch.eye(3, dtype=torch.float64)).canvas.draw()


def frames(html):
    return re.findall(r'frames\[\d+\] = "(data:image/png;base64,[^"]*)"', html)


def test_the_animation_has_a_frame_every_so_many_steps_and_first_shows_the_last():
    html = figures.animation(flows(), every=3).data
    images = frames(html)
    assert len(set(images)) == 3  # steps 0, 3, 6
    for image in images:
        assert base64.b64decode(image.split(",")[1], validate=True).startswith(b"\x89PNG")
    (shown,) = elements(html)["img"]
    assert shown["src"] == images[-1]
    assert shown["alt"]


def test_the_animation_needs_nothing_from_outside():
    html = re.sub(r"base64,[^\"]*", "", figures.animation(flows(steps=1)).data)
    assert not re.search(r"https?:|//[a-z]|<link|url\(|src=\"(?!data:)", html)
    assert "fa-" not in html
    shown = elements(html)
    assert len(shown["button"]) == 9
    assert "i" not in shown


def test_two_animations_on_one_page_have_ids_of_their_own():
    first, second = (elements(figures.animation(flows(steps=1)).data) for _ in range(2))
    ids = lambda page: {entry["id"] for tag in page.values() for entry in tag if "id" in entry}
    assert len(ids(first)) == len(ids(second)) > 0
    assert not ids(first) & ids(second)


def test_held_tokens_are_all_drawn_pale_where_they_are_behind():
    tokens = {name: torch.cat([CLOUD, -2 * CLOUD]) for name in NAMES}
    figure = looked_at(figures.held(tokens, 0.3))
    assert figure.get_suptitle() == "weight 0.3"
    for axis, title in zip(figure.axes, ["dispersion", "ℓ₂-repel"], strict=False):
        near, far = axis.collections
        at = toward_the_viewer(np.concatenate([CLOUD, -CLOUD]), figures.AZIMUTH)
        np.testing.assert_allclose(near.get_offsets(), at[at[:, 2] >= 0, :2])
        np.testing.assert_allclose(far.get_offsets(), at[at[:, 2] < 0, :2])
        assert (near.get_alpha(), far.get_alpha()) == (None, 0.2)
        cosine = -1 / (2 * len(CLOUD) - 1)  # the sum of all directions is 0
        assert axis.get_title() == f"{title}, mean cosine {cosine:.2f}"


def test_the_slider_has_a_frame_a_weight():
    html = figures.over_weights({weight: {"dispersion": CLOUD} for weight in (0, 0.1, 2.0)}, "fig6-weights").data
    assert re.findall(r'data-label="([^"]*)"', html) == ["0", "0.1", "2"]
    assert 'data-figure="fig6-weights"' in html
