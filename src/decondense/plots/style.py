"""What all figures share: width, letters, colours, names, labels at the ends of lines."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation

WIDTH = 6.9  # inches: the column of a page, about 700 pixels
SMALL = 7  # points: the smallest letters, 9 pixels at the 96 dots an inch of a page
LONGEST_LABEL = 36  # letters of a name
BLUE, RED = "#1f4e9c", "#a01217"  # rho and tau, as in the paper's Fig. 2b
GREY = "0.55"  # published points
# Most people can distinguish them, and none is grey: Okabe & Ito, then three of Tol's muted ones.
DISTINCT = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#332288", "#44aa99", "#999933",
)  # fmt: skip

STYLE = {
    "figure.dpi": 96,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
}


def colours(n: int, name: str = "viridis") -> list[tuple[float, float, float]]:
    """`n` colours in [0, 1]^3, evenly spaced inside a colormap of matplotlib; "colorblind": `DISTINCT`, in their order
    and then from the first again.
    """
    if name == "colorblind":
        return [to_rgb(DISTINCT[i % len(DISTINCT)]) for i in range(n)]
    return [tuple(colour) for colour in colormaps[name](np.linspace(0, 1, n + 2)[1:-1])[:, :3].tolist()]


def names(results: Sequence) -> list[str]:
    """Their names as matplotlib shows them: a `$` is no mathematics, and what is too long is cut."""
    short = (r.name if len(r.name) <= LONGEST_LABEL else f"{r.name[: LONGEST_LABEL - 1]}…" for r in results)
    return [name.replace("$", r"\$") for name in short]


def label_ends(axis: Axes, ends: Sequence[tuple[float, str, object]], x: float, fontsize: float = 8) -> None:
    """Write labels (y, text, colour) to the right of the points (x, y), moved up or down as far as they need room.

    Call it when the limits of the axis are final: `x` and `y` are in its units, room is that of the letters. Colours
    are darkened: what is bright enough for a line is too pale for letters on white.
    """
    figure = axis.figure
    figure.draw_without_rendering()
    height = axis.get_window_extent().height
    low, high = axis.get_ylim()
    per_unit = height / (high - low)
    apart = 1.25 * fontsize * figure.dpi / 72 / per_unit
    for (y, text, colour), at in zip(ends, spread([y for y, _, _ in ends], apart), strict=True):
        _beside(axis, text, (x, y), (at - y) * per_unit * 72 / figure.dpi, color=dark(colour), fontsize=fontsize)


def _beside(axis: Axes, text: str, point: tuple[float, float], up: float, **how) -> Annotation:
    line = {"arrowstyle": "-", "color": "0.8", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    return axis.annotate(
        text, point, (8, up), textcoords="offset points", va="center", annotation_clip=False,
        arrowprops=line if abs(up) > 1 else None, **how,
    )  # fmt: skip


def dark(colour: object) -> tuple[float, ...]:
    """The same hue at 60 % of its light: on white 4.5 : 1 or better, for the colours of this room."""
    return tuple(0.6 * part for part in to_rgb(colour))


def spread(at: Sequence[float], apart: float) -> np.ndarray:
    """Places at least `apart` from each other, in the order of `at` as near to it as that allows (least squares)."""
    order = np.argsort(at, kind="stable")
    steps = apart * np.arange(len(at))
    blocks: list[list[float]] = []
    for wanted in np.asarray(at, float)[order] - steps:  # isotonic regression: neighbours out of order are averaged
        blocks.append([wanted])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    found = np.empty(len(at))
    found[order] = [np.mean(block) for block in blocks for _ in block] + steps if len(at) else []
    return found


def legend_below(figure: Figure) -> None:
    """The legend of all axes, each label once, below them: never over data, and no wider than the figure."""
    found: dict[str, Artist] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    letter = 0.55 * STYLE["legend.fontsize"]  # points, of a usual letter
    widest = letter * max((len(label) for label in found), default=0) + 40
    columns = max(1, min(4, len(found), int(72 * figure.get_size_inches()[0] / widest)))
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns)


def lowest(axes: np.ndarray, shown: int) -> list[Axes]:
    """The last axis of each column that is shown, with its tick labels; the axes after the first `shown` are hidden."""
    for axis in axes.flat[shown:]:
        axis.set_visible(False)
    found = [[axis for axis in column if axis.get_visible()][-1] for column in axes.T]
    for axis in found:
        axis.tick_params(labelbottom=True)
    return found


def nothing() -> Figure:
    """A figure that says so."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4, 0.6))
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no such model in this profile", ha="center", va="center")
    return closed(figure)


def closed(figure: Figure) -> Figure:
    # Out of pyplot's hands: shown once, by the cell that returns it, and never piling up in memory.
    plt.close(figure)
    return figure
