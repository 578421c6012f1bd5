"""Quantities compared: over models of a family, over training, over doses; differences with their intervals."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from .style import BLUE, GREY, RED, SMALL, STYLE, WIDTH, closed, colours, legend_below, names, nothing


def trends(families: dict[str, Sequence], columns: int = 4) -> Figure:
    """rho and tau over the models of each family in the order of size, with 95 % intervals over the texts (Fig. 2b).

    Without any family the figure says so.
    """
    if not families:
        return nothing()
    rows, columns = -(-len(families) // columns), min(columns, len(families))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(min(WIDTH, 2.6 * columns + 0.4), 2.5 * rows),
            squeeze=False,
            layout="constrained",
            sharey=True,
        )
        for axis, (family, results) in zip(axes.flat, families.items(), strict=False):
            _trend(axis, results)
            axis.set_title(family)
            axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        for axis in axes.flat[len(families) :]:
            axis.set_visible(False)
        axes[0, 0].set_ylabel("rank correlation of μ with depth")
        axes.flat[0].set_ylim(-1.08, 1.08)
        axes.flat[0].legend(loc="lower left")
    return closed(figure)


def _trend(axis, results: Sequence) -> None:
    place = np.arange(len(results))
    for name, label, colour in (("rho", "Spearman ρ", BLUE), ("tau", "Kendall τ", RED)):
        axis.plot(place, [getattr(r, name) for r in results], color=colour, marker="o", markersize=4, label=label)
        low, high = np.array([getattr(r, f"{name}_interval") for r in results]).T
        axis.vlines(place, low, high, color=colour, linewidth=2, alpha=0.5)
    axis.set_xticks(place, names(results), rotation=30, ha="right")
    axis.set_xlim(-0.4, len(results) - 0.6)


def curves(
    series: "dict[str, pandas.Series]", xlabel: str, ylabel: str, marker: str = "", zero: bool = False
) -> Figure:
    """One line a series over its index; with a grey line at 0 where `zero` asks for it."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.0), layout="constrained")
        for (name, values), colour in zip(series.items(), colours(len(series), "colorblind"), strict=True):
            axis.plot(values.index, values, label=name, color=colour, marker=marker, linewidth=1)
        if zero:
            axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        legend_below(figure)
    return closed(figure)


def doses(table: "pandas.DataFrame", ylabel: str, xlabel: str) -> Figure:
    """A quantity against a dose, one dot per seed and a line through their means; the doses are at equal distances.

    `table` has one row per dose, in its order, and one column per seed (`runs.tables.by_seed`).
    """
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.2, 3.0), layout="constrained")
        at = np.arange(len(table))
        for seed in table:
            axis.plot(at, table[seed], "o", color=BLUE, markersize=4, alpha=0.6)
        axis.plot(at, table.mean(axis=1), color=RED, linewidth=1, label="mean over seeds")
        axis.set_xticks(at, table.index)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        legend_below(figure)
    return closed(figure)


def differences(
    table: "pandas.DataFrame", xlabel: str, published: Sequence[float] | None = None, over: str = "items"
) -> Figure:
    """Differences with their 95 % intervals, one row each from the top, beside the published ones.

    table
        Columns difference, low, high; the index names the rows.
    published
        In the order of the rows; NaN draws nothing.
    over
        What the intervals are over, for the legend.
    """
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.8, 0.4 * len(table) + 1.2), layout="constrained")
        at = np.arange(len(table))[::-1]
        axis.hlines(at, table["low"], table["high"], color=BLUE, linewidth=2, alpha=0.5)
        axis.plot(table["difference"], at, "o", color=BLUE, markersize=5, label=f"here, 95 % interval over {over}")
        if published is not None:
            axis.plot(published, at, "D", color=GREY, markersize=5, label="published")
        axis.axvline(0, color="0.7", linewidth=0.8)
        axis.set_yticks(at, [", ".join(name) if isinstance(name, tuple) else name for name in table.index])
        axis.set(xlabel=xlabel, ylim=(-0.6, len(table) - 0.4))
        legend_below(figure)
    return closed(figure)


def grid(axis, values: "pandas.DataFrame", text: "pandas.DataFrame", colormap: str, limits: tuple) -> AxesImage:
    """Fields coloured by `values` between `limits`, the first row on top, with `text` in each; for a colour bar.

    Field (i, j) covers j to j + 1 and i to i + 1 of the axes.
    """
    rows, columns = values.shape
    how = {"cmap": colormap, "vmin": limits[0], "vmax": limits[1], "extent": (0, columns, rows, 0)}
    image = axis.imshow(values.to_numpy(), aspect="auto", interpolation="nearest", **how)
    luminance = image.to_rgba(values.to_numpy())[..., :3] @ (0.2126, 0.7152, 0.0722)
    for (i, j), light in np.ndenumerate(luminance):
        ink = "0.15" if light > 0.5 else "white"
        axis.text(j + 0.5, i + 0.5, text.iat[i, j], color=ink, fontsize=SMALL, ha="center", va="center")
    axis.set_xticks(np.arange(columns) + 0.5, values.columns)
    axis.set_yticks(np.arange(rows) + 0.5, values.index)
    axis.set(xlabel=values.columns.name, ylabel=values.index.name)
    for place, edges in ((axis.xaxis, range(columns + 1)), (axis.yaxis, range(rows + 1))):
        place.set_ticks(edges, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.5)
    axis.tick_params(which="minor", length=0)
    axis.spines[:].set_visible(False)
    return image
