"""Alt text for figures that have none of their own: their caption, else the section that they are in."""

import re

from docutils import nodes

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


def setup(app):
    app.connect("doctree-resolved", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
