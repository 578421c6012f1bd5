"""Figures that a reader moves, in a browser: what is shown after a key, after a drag, in print, and without script."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import spearmanr

from decondense import plots

STATIC = Path(__file__).parents[2] / "book" / "_static"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{static}/pages.css">{script}</head><body><div class="bd-content">
<figure id="a-figure"><a href="#"><img id="still" alt="The static figure" width="99" height="50" src=""></a>
<figcaption>Caption</figcaption></figure><details>{moving}</details></div></body></html>"""
FRAMES = ["first", "middle", "last"]
SHOWN = "[...document.querySelectorAll('img, svg')].filter(e => e.checkVisibility()).map(e => e.dataset.label ?? e.id)"
SAID = "document.querySelector('.moving output').value"


@pytest.fixture
def opened(tab, tmp_path):
    """Open a page with one thing to move; the media are those of a screen again."""

    def show(moving, script=True):
        script = f"<script src='{STATIC.as_uri()}/moving.js'></script>" if script else ""
        page = PAGE.format(static=STATIC.as_uri(), script=script, moving=moving.data)
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        tab.ask("Emulation.setEmulatedMedia", media="screen")
        tab.show(600, 800, "light", False)
        tab.open((tmp_path / "page.html").as_uri())
        return tab

    return show


@pytest.fixture(scope="module")
def slider():
    figures = [plots.closed(plt.subplots(figsize=(1, 1))[0]) for _ in FRAMES]
    return plots.slider(dict(zip(FRAMES, figures, strict=True)), "a-figure", "depth")


def press(tab, key):
    for kind in ("keyDown", "keyUp"):
        tab.ask(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"ArrowLeft": 37}.get(key, 38)
        )


def test_a_slider_takes_the_place_of_the_figure_and_obeys_the_keys(opened, slider):
    tab = opened(slider)
    assert tab.run(SHOWN) == ["last"]
    tab.run("document.querySelector('input').focus()")
    for label in ("middle", "first"):
        press(tab, "ArrowLeft")
        assert tab.run(SHOWN) == [label]
        assert tab.run(SAID) == tab.run("document.querySelector('input').ariaValueText") == label
    assert tab.errors() == []


def test_print_and_a_page_without_script_show_the_static_figure(opened, slider):
    tab = opened(slider)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.run(SHOWN) == ["still"]
    assert opened(slider, script=False).run(SHOWN) == ["still"]


def numbers(tab):
    """rho and the late-half mean, as they are shown."""
    return [float(number) for number in re.fullmatch(r"ρ (\S+), late-half mean of μ (\S+)", tab.run(SAID)).groups()]


@pytest.mark.parametrize(
    "mu",
    [
        [0.1, 0.2, 0.3, 0.4],
        [0.9, 0.5, 0.2],
        [0.3, 0.3, 0.1, 0.8, 0.8],  # ties
        [0.5, 0.5, 0.5, 0.6],
        [0.2, 0.7, 0.2, 0.7, 0.2, 0.7, 0.7],
        *(np.random.default_rng(0).integers(0, 6, (5, 8)) / 10).tolist(),
    ],
    ids=str,
)
def test_rho_is_that_of_scipy_and_the_late_half_begins_after_the_middle(opened, mu):
    rho, late = numbers(opened(plots.dragged(mu, "a-figure")))
    assert rho == pytest.approx(spearmanr(mu, np.arange(len(mu))).statistic, abs=6e-4)
    assert late == pytest.approx(np.mean(mu[(len(mu) - 1) // 2 + 1 :]), abs=6e-4)


def test_a_constant_curve_has_no_rho(opened):
    assert opened(plots.dragged([0.4, 0.4, 0.4], "a-figure")).run(SAID) == "ρ none, late-half mean of μ 0.400"


def test_points_are_dragged_and_moved_by_keys_within_their_limits(opened):
    tab = opened(plots.dragged([0.2, 0.4, 0.6], "a-figure"))
    assert numbers(tab) == [1, 0.6]
    point = "document.querySelectorAll('circle')[2]"
    box = tab.run(f"{point}.getBoundingClientRect().toJSON()")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, down in (("mousePressed", 0), ("mouseMoved", 40), ("mouseMoved", 900), ("mouseReleased", 900)):
        tab.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y + down, button="left", buttons=1, clickCount=1)
    assert numbers(tab) == [-0.5, 0]  # far below the axis is 0
    tab.run(f"{point}.focus()")
    press(tab, "ArrowUp")
    assert numbers(tab)[1] == 0.01
    assert tab.run(f"{point}.getAttribute('aria-valuenow')") == "0.01"
    tab.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="none")  # let go: nothing follows
    assert numbers(tab)[1] == 0.01
    assert tab.errors() == []


def test_a_phone_has_room_for_it(opened, slider):
    for moving in (slider, plots.dragged([0.2, 0.4, 0.6], "a-figure")):
        tab = opened(moving)
        tab.show(390, 844, "light", True)
        assert tab.run("document.querySelector('.moving').getBoundingClientRect().right") <= 390
