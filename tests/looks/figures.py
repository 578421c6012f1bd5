"""The size of the type in a figure's file, at the size that the file has of itself."""

import re
from functools import cache
from pathlib import Path

from PIL import Image

POINTS = 8  # the smallest type of this book's figures: `decondense.plots`
GLYPH = 100  # units of matplotlib's letters that are drawn as paths, an em
FONT_SIZE = re.compile(r"font(?:-size)?:[^;\"]*?([\d.]+)px")
TEXT = re.compile(r'<g id="text_\d+">.*?scale\(([\d.]+)', re.S)


@cache
def type_size(path: Path) -> float | None:
    """Pixels of the smallest type in an SVG, or in a PNG that tells its resolution; `None` where nothing is known.

    A PNG does not say what is written in it: the smallest type of this book's figures is taken.
    """
    if path.suffix == ".svg":
        text = path.read_text(encoding="utf-8")
        sizes = [*map(float, FONT_SIZE.findall(text)), *(GLYPH * float(scale) for scale in TEXT.findall(text))]
        return min(sizes, default=None)
    resolution = Image.open(path).info.get("dpi", (None,))[0] if path.suffix == ".png" else None
    return POINTS / 72 * float(resolution) if resolution else None
