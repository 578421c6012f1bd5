"""A page with all figures of the notebooks, small, each a link to its place in the book."""

import base64
import re
from collections.abc import Iterator
from html import escape
from io import BytesIO
from pathlib import Path

import nbformat
from PIL import Image

from .numbers import plain

WIDTH = 480  # pixels of a small figure: twice what a column of the page shows
SENTENCE = re.compile(r"(?<!\bFig)\. ")  # what ends one: not the point of "Fig. 2"
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png"}  # the first that an output has


def write(notebooks: Path, target: Path) -> None:
    """Write the page `gallery.md` and its pictures `gallery/NAME` into the folder `target`.

    notebooks
        The folder of the notebooks as the book shows them, in the order of their numbers. A figure is the output of a
        cell with a name and a caption (`mystnb`).
    """
    folder = target / "gallery"
    folder.mkdir()
    grid = ":::::{grid} 2 2 3 4\n:gutter: 2\n:class-container: gallery"
    lines = ["# All figures", "Each figure leads to its place.", grid]
    for path in sorted(notebooks.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ") if notebook.cells else ""
        lines += [_card(path.stem, title, *figure, folder) for figure in figures(notebook)]
    lines.append(":::::")
    (target / "gallery.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def figures(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str, str, bytes]]:
    """Name, caption, suffix and content of the figures with a name, one a cell."""
    for name, cell in named(notebook).items():
        if drawn := picture(cell):
            yield name, " ".join(cell.metadata.mystnb.figure.get("caption", "").split()), *drawn


def named(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """The cells whose figure has a name (`mystnb`), by that name."""
    cells = {cell.metadata.get("mystnb", {}).get("figure", {}).get("name"): cell for cell in notebook.cells}
    return {name: cell for name, cell in cells.items() if name is not None}


def picture(cell: nbformat.NotebookNode) -> tuple[str, bytes] | None:
    """Suffix and content of the first picture among the outputs of a cell; `None` where it has drawn none."""
    for data in (output.data for output in cell.get("outputs", []) if "data" in output):
        if kind := next((kind for kind in PICTURES if kind in data), None):
            return PICTURES[kind], data[kind].encode() if kind == "image/svg+xml" else base64.b64decode(data[kind])
    return None


def _card(notebook: str, title: str, name: str, caption: str, suffix: str, content: bytes, folder: Path) -> str:
    picture = folder / f"{name}{suffix}"
    picture.write_bytes(content if suffix == ".svg" else _small(content))
    first = SENTENCE.split(caption)[0].removesuffix(".")
    options = [f":link: ../notebooks/{notebook}.html#{name}", f":img-top: gallery/{picture.name}"]
    options.append(f":img-alt: {escape(first)}")
    return "\n".join(["::::{grid-item-card}", *options, "", plain(first), "", ":::{card-footer}", title, ":::", "::::"])


def _small(png: bytes) -> bytes:
    image, made = Image.open(BytesIO(png)), BytesIO()
    image.thumbnail((WIDTH, 4 * WIDTH))
    image.save(made, "png", optimize=True)
    return made.getvalue()
