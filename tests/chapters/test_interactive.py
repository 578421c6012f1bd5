"""The slider: every frame inside the page, one of them visible, nothing from outside."""

import base64
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from decondense.chapters import interactive
from decondense.losses import forces


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


class Page(HTMLParser):
    """The attributes of each element by its name, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = {}, "", 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.setdefault(tag, []).append(dict(attrs))
        self.open += tag not in ("img", "input")

    def handle_endtag(self, tag):
        self.open -= 1

    def handle_data(self, data):
        self.text += data


def frames(count):
    made = []
    for number in range(count):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, number])
        made.append(figure)
    return made


def page(count=3, labels=None, about="a cloud", **how):
    return Page(interactive.slider(frames(count), labels or [f"step {i}" for i in range(count)], about, **how).data)


def hidden(image):
    return "display:none" in image["style"]


@pytest.mark.parametrize(("count", "start"), [(1, 0), (3, 0), (3, 1), (3, 2)])
def test_there_is_an_image_a_frame_and_one_is_visible(count, start):
    found = page(count, start=start)
    images = found.elements["img"]
    assert len(images) == count
    assert [number for number, image in enumerate(images) if not hidden(image)] == [start]
    assert len({image["src"] for image in images}) == count
    assert found.open == 0


def test_the_slider_reaches_every_frame_and_begins_at_the_visible_one():
    found = page(4, start=2)
    (control,) = found.elements["input"]
    assert [control[name] for name in ("type", "min", "max", "value")] == ["range", "0", "3", "2"]
    assert "step 2" in found.text
    assert [image["data-label"] for image in found.elements["img"]] == ["step 0", "step 1", "step 2", "step 3"]


def test_the_script_is_in_the_control_and_names_its_own_frames():
    first, second = page(), page()
    for found in (first, second):
        (control,), (box, *_) = found.elements["input"], found.elements["div"]
        assert re.findall(r"getElementById\('([^']+)'\)", control["oninput"]) == [box["id"]]
        assert control["oninput"].endswith(".dataset.label")
        assert set(found.elements) == {"div", "img", "label", "input", "output"}
    assert first.elements["div"][0]["id"] != second.elements["div"][0]["id"]


def test_nothing_comes_from_outside():
    html = interactive.slider(frames(2), ["a", "b"], "two lines").data
    assert not re.search(r"https?:|//[a-z]|<script|<link|url\(", html)
    for image in Page(html).elements["img"]:
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")


def test_labels_and_description_are_escaped():
    label, about = "<b>\"μ\" & 'x'</b>", 'cosines < "1"'
    html = interactive.slider(frames(1), [label], about).data
    assert "<b>" not in html
    found = Page(html)
    (image,) = found.elements["img"]
    assert image["alt"] == f"{about}, {label}"
    assert image["data-label"] == label
    assert label in found.text


@pytest.mark.parametrize(("count", "labels"), [(0, []), (0, ["a"]), (2, ["a"]), (1, ["a", "b"])])
def test_another_number_of_labels_is_an_error(count, labels):
    with pytest.raises(ValueError, match=rf"^{count} frames and {len(labels)} labels"):
        interactive.slider(frames(count), labels, "nothing")


def test_flows_show_every_so_many_steps_and_the_last_first():
    moments = {name: forces.flow(name, forces.cloud(6), steps=7) for name in ("dispersion", "l2_repel")}
    images = Page(interactive.flows(moments, every=3).data).elements["img"]
    assert [image["data-label"] for image in images] == ["step 0", "step 3", "step 6"]
    assert [hidden(image) for image in images] == [True, True, False]
    assert len({image["src"] for image in images}) == 3
