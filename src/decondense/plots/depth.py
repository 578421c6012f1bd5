"""Cosines over depth: heat maps of their density, and the mean as lines."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from .compared import curves
from .style import BLUE, SMALL, STYLE, WIDTH, closed, colours, legend_below, lowest, names, nothing

DENSITY_LIMITS = (0, 10)  # colour limits of the paper's heat maps
COSINE_LIMITS = (-0.25, 1.0)
PANEL = 1.95  # inches of a heat map's width where there is room


def heatmaps(results: Sequence, titles: Sequence[str] | None = None, columns: int = 4) -> Figure:
    """One heat map a model: density of the cosines (128 bins, red) over depth, with the mean mu as a line.

    Columns of the image are the L + 1 entries, each 1 / (L + 1) wide, and colours go from 0 to 10, as in Fig. 2a of the
    paper; where all densities are far below that, to the largest of them. Without any result the figure says so.

    Raises
        ValueError: a result without a histogram.
    """
    if not results:
        return nothing()
    for result in results:
        if result.histogram is None:
            raise ValueError(f"{result.name} was measured with histogram=None; measure it with 'pooled' or 'averaged'.")
    rows, columns = -(-len(results) // columns), min(columns, len(results))
    wide = min(WIDTH, PANEL * columns + 1.2)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(wide, 1.75 * rows + 0.35),
            squeeze=False,
            layout="constrained",
            sharex=True,
            sharey=True,
        )
        how = {"vmin": 0, "vmax": _densest(results), "letters": 1 + int(11 * (wide - 1.2) / columns)}
        shown = zip(axes.flat, results, titles or names(results), strict=False)
        image = [_heatmap(axis, result, title, **how) for axis, result, title in shown][-1]
        axes[0, 0].set(ylim=(min(_lowest(result) for result in results), COSINE_LIMITS[1]), xlim=(0, 1))
        axes[0, 0].set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        lowest(axes, len(results))
        figure.supxlabel("layer fraction", fontsize=9)
        figure.supylabel("cosine similarity", fontsize=9)
        bar = figure.colorbar(image, ax=axes, label="probability density", shrink=0.9, aspect=30, pad=0.02)
        bar.locator = MaxNLocator(5, integer=True)
    return closed(figure)


def _heatmap(axis: Axes, result, title: str, vmin: float, vmax: float, letters: int) -> AxesImage:
    entries = len(result.mu)
    image = axis.imshow(
        result.histogram.T,
        origin="lower",
        extent=(0, 1, -1, 1),
        aspect="auto",
        interpolation="nearest",
        cmap="Reds",
        vmin=vmin,
        vmax=vmax,
    )
    centres = (np.arange(entries) + 0.5) / entries
    axis.plot(centres, result.mu, color=BLUE, linewidth=1, label="mean")
    axis.set_title("\n".join(textwrap.fill(line, letters) for line in title.split("\n")))
    narrow = letters < 14
    between = "\n" if narrow else "   "
    corner = "no trend" if result.is_constant else f"ρ {result.rho:+.2f}{between}τ {result.tau:+.2f}"
    axis.text(0.04, 0.04, corner, transform=axis.transAxes, color=BLUE, fontsize=SMALL if narrow else 8)
    return image


def _densest(results: Sequence) -> float:
    """The paper's upper limit of the colours, unless that would leave all maps blank."""
    largest = max(float(result.histogram.max()) for result in results)
    return DENSITY_LIMITS[1] if largest > DENSITY_LIMITS[1] / 2 else largest


def _lowest(result) -> float:
    """The paper's, but for a result of which more than 1 % of the pairs at an entry lie below it."""
    edges = np.linspace(-1, 1, result.histogram.shape[1] + 1)
    below = result.histogram[:, edges[1:] <= COSINE_LIMITS[0]].sum(1) * (edges[1] - edges[0])
    return -1.0 if below.max() > 0.01 else COSINE_LIMITS[0]


def depth_profiles(results: Sequence, titles: Sequence[str] | None = None) -> Figure:
    """mu over layer fraction, one line per model, with its 95 % bootstrap interval over the texts."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
        for result, title, colour in zip(results, titles or names(results), colours(len(results)), strict=True):
            axis.plot(result.layer_fraction, result.mu, color=colour, label=title)
            axis.fill_between(result.layer_fraction, *result.mu_interval, color=colour, alpha=0.2)
        axis.set(xlabel="layer fraction", ylabel="mean cosine μ", ylim=(min(0, axis.get_ylim()[0]), 1))
        legend_below(figure)
    return closed(figure)


def by_layer(table: "pandas.DataFrame", ylabel: str) -> Figure:
    """One line per column over the entries 0..L of the residual stream."""
    return curves(dict(table.items()), "entry of the residual stream", ylabel, marker=".", zero=True)
