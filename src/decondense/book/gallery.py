"""A page with all figures of the notebooks, small, each a link to its place in the book."""

import base64
from collections.abc import Iterator
from html import escape
from io import BytesIO
from pathlib import Path

import nbformat
from PIL import Image

from .numbers import plain

WIDTH = 480  # pixels of a small figure: twice what a column of the page shows
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png"}  # the first that an output has


def write(notebooks: Path, target: Path) -> None:
    """Write the page `gallery.md` and its pictures `gallery/NAME` into the folder `target`.

    notebooks
        The folder of the notebooks as the book shows them, in the order of their numbers. A figure is the output of a
        cell with a name and a caption (`mystnb`).
    """
    folder = target / "gallery"
    folder.mkdir()
    lines = ["# All figures", "Each figure leads to its page. Only notebooks that this run executed have any."]
    for path in sorted(notebooks.glob("*.ipynb")):
        if found := [_card(path.stem, *figure, folder) for figure in figures(nbformat.read(path, as_version=4))]:
            grid = ["::::{grid} 1 2 2 3", ":gutter: 2", ":class-container: gallery", "", *found, "::::"]
            lines += [f"## [](../notebooks/{path.name})", "\n".join(grid)]
    (target / "gallery.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def figures(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str, str, bytes]]:
    """Name, caption, suffix and content of the figures with a name, one a cell."""
    for cell in notebook.cells:
        said = cell.metadata.get("mystnb", {}).get("figure", {})
        shown = [output.data for output in cell.get("outputs", []) if "data" in output]
        for data in shown if "name" in said else []:
            kind = next((kind for kind in PICTURES if kind in data), None)
            if kind:
                content = data[kind].encode() if kind == "image/svg+xml" else base64.b64decode(data[kind])
                yield said["name"], " ".join(said.get("caption", "").split()), PICTURES[kind], content
                break


def _card(notebook: str, name: str, caption: str, suffix: str, content: bytes, folder: Path) -> str:
    picture = folder / f"{name}{suffix}"
    picture.write_bytes(content if suffix == ".svg" else _small(content))
    first = caption.split(". ")[0].removesuffix(".")
    options = [f":link: ../notebooks/{notebook}.html#{name}", f":img-top: gallery/{picture.name}"]
    return "\n".join([":::{grid-item-card}", *options, f":img-alt: {escape(first)}", "", plain(first), ":::"])


def _small(png: bytes) -> bytes:
    image, made = Image.open(BytesIO(png)), BytesIO()
    image.thumbnail((WIDTH, 4 * WIDTH))
    image.save(made, "png", optimize=True)
    return made.getvalue()
