"""Names for what a screen reader meets without one: figures by their caption, the slider of an animation."""

import re

from docutils import nodes

SLIDER = '<input id="_anim_slider'  # as matplotlib writes it
TEX = re.compile(r"\\([A-Za-z]+)")  # read out, a backslash before the name of a letter is noise


def described(image: nodes.image) -> str:
    """What a screen reader says of an image without an alt text."""
    figure = next((up for up in _above(image) if isinstance(up, nodes.figure)), None)
    caption = figure and figure.next_node(nodes.caption)
    section = next((up for up in _above(image) if isinstance(up, nodes.section)), None)
    title = section and section.next_node(nodes.title)
    said = caption.astext() if caption else f"A figure of the section: {title.astext()}" if title else "A figure"
    return TEX.sub(r"\1", " ".join(said.split()))


def _above(node: nodes.Node):
    while node := node.parent:
        yield node


def describe(app, doctree: nodes.document, docname: str) -> None:
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            image["alt"] = described(image)
    for raw in list(doctree.findall(nodes.raw)):
        if SLIDER in raw.astext():
            named = raw.astext().replace(SLIDER, f'<input aria-label="Frame of the animation" {SLIDER[7:]}')
            raw.replace_self(nodes.raw("", named, format=raw["format"]))


def setup(app):
    app.connect("doctree-resolved", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
