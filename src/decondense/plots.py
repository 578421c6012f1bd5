"""Figures that several chapters draw: cosines over depth, trends over size, training, doses, differences, spheres.

`results` are measurements (`Condensation`), which draw themselves with this module; so it imports nothing of theirs.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps, style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

DENSITY_LIMITS = (0, 10)  # colour limits of the paper's heat maps
COSINE_LIMITS = (-0.25, 1.0)
LONGEST_LABEL = 36  # letters of a name
BLUE, RED = "#1f4e9c", "#a01217"  # rho and tau, as in the paper's Fig. 2b

STYLE = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def colours(n: int, name: str = "viridis") -> list[tuple[float, float, float]]:
    """`n` colours in [0, 1]^3, evenly spaced inside a colormap of matplotlib; "colorblind": ten that most people can
    tell apart, in their order and then from the first again.
    """
    if name == "colorblind":
        palette = style.library["tableau-colorblind10"]["axes.prop_cycle"].by_key()["color"]
        return [to_rgb(palette[i % len(palette)]) for i in range(n)]
    return [tuple(colour) for colour in colormaps[name](np.linspace(0, 1, n + 2)[1:-1])[:, :3].tolist()]


def heatmaps(results: Sequence, titles: Sequence[str] | None = None, columns: int = 4) -> Figure:
    """One heat map a model: density of the cosines (128 bins, red, 0 to 10) over depth, with the mean mu as a line.

    Columns of the image are the L + 1 entries, each 1 / (L + 1) wide, as in Fig. 2a of the paper. Without any result
    the figure says so.

    Raises
        ValueError: a result without a histogram.
    """
    if not results:
        return nothing()
    for result in results:
        if result.histogram is None:
            raise ValueError(f"{result.name} was measured with histogram=None; measure it with 'pooled' or 'averaged'.")
    rows, columns = -(-len(results) // columns), min(columns, len(results))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(2.05 * columns + 1, 2.1 * rows), squeeze=False, layout="constrained"
        )
        for axis, result, title in zip(axes.flat, results, titles or names(results), strict=False):
            image = _heatmap(axis, result)
            axis.set_title(title)
        for axis in axes.flat[len(results) :]:
            axis.set_visible(False)
        figure.supxlabel("layer fraction", fontsize=9)
        figure.supylabel("cosine similarity", fontsize=9)
        figure.colorbar(image, ax=axes, label="probability density", shrink=0.8, aspect=30, ticks=range(0, 11, 2))
    return closed(figure)


def _heatmap(axis, result):
    entries = len(result.mu)
    low, high = _limits(result)
    image = axis.imshow(
        result.histogram.T,
        origin="lower",
        extent=(0, 1, -1, 1),
        aspect="auto",
        interpolation="nearest",
        cmap="Reds",
        vmin=DENSITY_LIMITS[0],
        vmax=DENSITY_LIMITS[1],
    )
    centres = (np.arange(entries) + 0.5) / entries
    axis.plot(centres, result.mu, color=BLUE, linewidth=1, label="mean")
    axis.set(ylim=(low, high), xlim=(0, 1), xticks=(0, 0.5, 1))
    corner = "no trend" if result.is_constant else f"ρ {result.rho:+.2f}   τ {result.tau:+.2f}"
    axis.text(0.03, 0.03, corner, transform=axis.transAxes, color=BLUE, fontsize=8)
    return image


def _limits(result) -> tuple[float, float]:
    """The paper's, but for a result of which more than 1 % of the pairs at an entry lie below them."""
    edges = np.linspace(-1, 1, result.histogram.shape[1] + 1)
    below = result.histogram[:, edges[1:] <= COSINE_LIMITS[0]].sum(1) * (edges[1] - edges[0])
    return (-1.0, COSINE_LIMITS[1]) if below.max() > 0.01 else COSINE_LIMITS


def trends(families: dict[str, Sequence], columns: int = 4) -> Figure:
    """rho and tau over the models of each family in the order of size, with 95 % intervals over the texts (Fig. 2b).

    Without any family the figure says so.
    """
    if not families:
        return nothing()
    rows, columns = -(-len(families) // columns), min(columns, len(families))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(2.6 * columns, 2.5 * rows), squeeze=False, layout="constrained", sharey=True
        )
        for axis, (family, results) in zip(axes.flat, families.items(), strict=False):
            _trend(axis, results)
            axis.set_title(family)
            axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        for axis in axes.flat[len(families) :]:
            axis.set_visible(False)
        axes[0, 0].set_ylabel("rank correlation of μ with depth")
        axes.flat[0].set_ylim(-1.08, 1.08)
        axes.flat[0].legend(loc="lower left", fontsize=8)
    return closed(figure)


def _trend(axis, results: Sequence) -> None:
    place = np.arange(len(results))
    for name, label, colour in (("rho", "Spearman ρ", BLUE), ("tau", "Kendall τ", RED)):
        axis.plot(place, [getattr(r, name) for r in results], color=colour, marker="o", markersize=4, label=label)
        low, high = np.array([getattr(r, f"{name}_interval") for r in results]).T
        axis.vlines(place, low, high, color=colour, linewidth=2, alpha=0.5)
    axis.set_xticks(place, names(results), rotation=30, ha="right")
    axis.set_xlim(-0.4, len(results) - 0.6)


def depth_profiles(results: Sequence, titles: Sequence[str] | None = None) -> Figure:
    """mu over layer fraction, one line a model, with its 95 % bootstrap interval over the texts."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
        for result, title, colour in zip(results, titles or names(results), colours(len(results)), strict=True):
            axis.plot(result.layer_fraction, result.mu, color=colour, label=title)
            axis.fill_between(result.layer_fraction, *result.mu_interval, color=colour, alpha=0.2)
        axis.set(xlabel="layer fraction", ylabel="mean cosine μ", ylim=(min(0, axis.get_ylim()[0]), 1))
        axis.legend(fontsize=8)
    return closed(figure)


def lines(table: "pandas.DataFrame", ylabel: str, xlabel: str = "") -> Figure:
    """One series of points a column of `table` over its index: for small comparisons such as Fig. S3's."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.2, 3.2), layout="constrained")
        for column, colour in zip(table, colours(len(table.columns)), strict=True):
            axis.plot(range(len(table)), table[column], "o", markersize=5, color=colour, label=column)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        names = [str(name) for name in table.index]
        axis.set_xticks(range(len(table)), names, rotation=30, ha="right")
        axis.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc="upper left")
    return closed(figure)


def curves(
    series: "dict[str, pandas.Series]", xlabel: str, ylabel: str, marker: str = "", zero: bool = False
) -> Figure:
    """One line a series over its index; with a grey line at 0 where `zero` asks for it."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 3.0), layout="constrained")
        for (name, values), colour in zip(series.items(), colours(len(series), "colorblind"), strict=True):
            axis.plot(values.index, values, label=name, color=colour, marker=marker, linewidth=1)
        if zero:
            axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.legend(fontsize=8)
    return closed(figure)


def by_layer(table: "pandas.DataFrame", ylabel: str) -> Figure:
    """One line a column over the entries 0..L of the residual stream."""
    return curves(dict(table.items()), "entry of the residual stream", ylabel, marker=".", zero=True)


def doses(table: "pandas.DataFrame", ylabel: str, xlabel: str) -> Figure:
    """A quantity against a dose, one dot a seed and a line through their means; the doses are at equal distances.

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
        axis.legend(fontsize=8)
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
        figure, axis = plt.subplots(figsize=(5.5, 0.45 * len(table) + 1.2), layout="constrained")
        at = np.arange(len(table))[::-1]
        axis.hlines(at, table["low"], table["high"], color=BLUE, linewidth=2, alpha=0.5)
        axis.plot(table["difference"], at, "o", color=BLUE, markersize=5, label=f"here, 95 % interval over {over}")
        if published is not None:
            axis.plot(published, at, "D", color=RED, markersize=5, label="published")
        axis.axvline(0, color="0.7", linewidth=0.8)
        axis.set_yticks(at, [", ".join(name) if isinstance(name, tuple) else name for name in table.index])
        axis.set(xlabel=xlabel, ylim=(-0.6, len(table) - 0.4))
        figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return closed(figure)


def spheres(points: dict[str, np.ndarray], columns: int = 2) -> Figure:
    """Tokens as points on unit spheres (`metrics.cone_coordinates`), the mean direction up, its cone drawn around it.

    The ring stands at the mean angle between a token and the mean direction, written beside it in degrees.
    """
    rows = -(-len(points) // columns)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(3.1 * columns, 3.1 * rows), layout="constrained")
        for place, (title, xyz) in enumerate(points.items(), start=1):
            axis = figure.add_subplot(rows, columns, place, projection="3d", computed_zorder=False)
            _sphere(axis, np.asarray(xyz))
            axis.set_title(title, y=0.98)
    return closed(figure)


def _sphere(axis, xyz: np.ndarray) -> None:
    around = np.linspace(0, 2 * np.pi, 73)
    polar = np.linspace(0, np.pi, 37)
    shell = np.outer(np.sin(polar), np.cos(around)), np.outer(np.sin(polar), np.sin(around))
    height = np.outer(np.cos(polar), np.ones_like(around))
    axis.plot_surface(*shell, height, color="0.93", shade=False, linewidth=0, zorder=0)
    angle = np.arccos(np.clip(xyz[:, 2], -1, 1)).mean()
    ring = np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.full_like(around, np.cos(angle))
    axis.plot(*ring, color=BLUE, linewidth=1.2, zorder=2)
    axis.quiver(0, 0, 0, 0, 0, 1, color=BLUE, linewidth=1.5, arrow_length_ratio=0.12, zorder=2)
    axis.scatter(*xyz.T, s=4, color=RED, alpha=0.6, depthshade=False, zorder=3)
    axis.text2D(0.5, 0.02, f"mean angle {np.degrees(angle):.0f}°", transform=axis.transAxes, ha="center", color=BLUE)
    axis.set_box_aspect((1, 1, 1))
    axis.set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), zlim=(-0.75, 0.75))
    axis.view_init(elev=18, azim=-60)
    axis.set_axis_off()


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
        axis.text(j + 0.5, i + 0.5, text.iat[i, j], color=ink, fontsize=7, ha="center", va="center")
    axis.set_xticks(np.arange(columns) + 0.5, values.columns)
    axis.set_yticks(np.arange(rows) + 0.5, values.index)
    axis.set(xlabel=values.columns.name, ylabel=values.index.name)
    for place, edges in ((axis.xaxis, range(columns + 1)), (axis.yaxis, range(rows + 1))):
        place.set_ticks(edges, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.5)
    axis.tick_params(which="minor", length=0)
    axis.spines[:].set_visible(False)
    return image


def nothing() -> Figure:
    """A figure that says so."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4, 0.6))
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no such model in this profile", ha="center", va="center")
    return closed(figure)


def names(results: Sequence) -> list[str]:
    """Their names as matplotlib shows them: a `$` is no mathematics, and what is too long is cut."""
    short = (r.name if len(r.name) <= LONGEST_LABEL else f"{r.name[: LONGEST_LABEL - 1]}…" for r in results)
    return [name.replace("$", r"\$") for name in short]


def closed(figure: Figure) -> Figure:
    # Out of pyplot's hands: shown once, by the cell that returns it, and never piling up in memory.
    plt.close(figure)
    return figure
