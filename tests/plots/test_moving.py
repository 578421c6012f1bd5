"""What the script of the book is given: frames that are images, points with their values, and nothing to load."""

import base64
import json
import re
from io import BytesIO

import matplotlib.pyplot as plt
import pytest
from elements import elements
from PIL import Image

from decondense import plots
from decondense.plots import moving


def drawn(wide=2.0):
    figure, axis = plt.subplots(figsize=(wide, 1.0))
    axis.plot([0, 1])
    return plots.closed(figure)


def test_a_slider_has_an_image_a_frame_in_order_and_begins_with_the_last():
    page = elements(plots.slider({"0 %": drawn(), "<half>": drawn(), "all": drawn()}, "a-figure", "depth").data)
    assert [image["data-label"] for image in page["img"]] == ["0 %", "<half>", "all"]
    assert page["img"][1]["alt"] == "The figure at depth <half>."
    assert all("hidden" in image for image in page["img"])
    (field,) = page["input"]
    assert (field["type"], field["min"], field["max"], field["value"]) == ("range", "0", "2", "2")
    assert field["aria-label"] == "depth"


def test_frames_are_images_as_wide_as_the_figure_on_a_page_and_sharper():
    (image, _) = elements(plots.slider({"a": drawn(), "b": drawn()}, "a-figure", "depth").data)["img"]
    kind, content = image["src"].split(";base64,")
    assert kind == "data:image/webp"
    assert image["width"] == "192"
    assert Image.open(BytesIO(base64.b64decode(content, validate=True))).size == (2 * moving.DPI, moving.DPI)


def test_a_curve_has_its_points_to_a_hundredth():
    (note, box) = re.fullmatch(r"(<p>.*</p>)(<div.*</div>)", plots.dragged([0.123, 0, 1.0], "a-figure").data).groups()
    (attributes,) = elements(box)["div"]
    assert json.loads(attributes["data-mu"]) == [0.12, 0, 1]
    assert note == "<p>In the book, and with JavaScript, the figure <code>a-figure</code> has points to move.</p>"


@pytest.mark.parametrize(
    "made",
    [plots.dragged([0.1, 0.2, 0.3], "a-figure"), plots.slider({"a": drawn(), "b": drawn()}, "a-figure", "depth")],
)
def test_nothing_but_a_note_is_seen_without_the_script_and_nothing_is_loaded(made):
    (box,) = elements(made.data)["div"]
    assert "hidden" in box
    assert box["data-figure"] == "a-figure"
    assert "<script" not in made.data
    assert not re.search(r"https?:|src=\"(?!data:)", made.data)


@pytest.mark.parametrize("frames", [{}, {"a": drawn()}, {"a": drawn(), "b": drawn(3.0)}])
def test_frames_of_one_kind_are_asked_for(frames):
    with pytest.raises(ValueError, match="two frames or more, all of one size"):
        plots.slider(frames, "a-figure", "depth")


@pytest.mark.parametrize("mu", [[0.1, 0.2], [0.1, 0.2, 1.1], [0.1, -0.1, 0.2], [0.1, float("nan"), 0.2]])
def test_a_curve_that_cannot_be_drawn_is_an_error(mu):
    with pytest.raises(ValueError, match=r"three values or more within \[0, 1\]"):
        plots.dragged(mu, "a-figure")
