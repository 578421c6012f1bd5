"""Figures of the recursion: predicted against measured cosines, drift, maps over the sizes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import models
from ...condensation import Condensation
from ...plots import BLUE, RED, STYLE, WIDTH, closed, colours, grid, legend_below, lowest
from .recursion import Propagation, architecture, drift


def predictions(
    measured: Sequence[Condensation], predicted: dict[str, Propagation], uniform: dict[str, Propagation]
) -> Figure:
    """mu over depth, one panel a model: measured (dots, seeds of the texts), predicted, and with uniform attention."""
    columns = min(3, len(measured))
    rows = -(-len(measured) // columns)
    with plt.rc_context(STYLE):
        shape = {
            "figsize": (min(WIDTH, 2.6 * columns + 0.3), 2.1 * rows + 0.6),
            "squeeze": False,
            "layout": "constrained",
        }
        figure, axes = plt.subplots(rows, columns, sharex=True, sharey=True, **shape)
        for axis, r in zip(axes.flat, measured, strict=False):
            axis.plot(r.layer_fraction, r.mu, "o", markersize=3, color="0.35", label="measured")
            axis.plot(r.layer_fraction, predicted[r.name].mu, color=BLUE, label="predicted")
            axis.plot(r.layer_fraction, uniform[r.name].mu, "--", color=RED, linewidth=1, label="uniform attention")
            axis.set_title(models.shown(r.name))
            axis.set_ylim(0, 1)
        legend_below(figure)
        for axis in lowest(axes, len(measured)):
            axis.set_xlabel("layer fraction")
        for axis in axes[:, 0]:
            axis.set_ylabel("mean cosine μ")
    return closed(figure)


def drifts(names: Sequence[str]) -> Figure:
    """`recursion.drift` over the cosine, one line per model: positive where tokens condense."""
    c = np.linspace(0.005, 1, 150)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
        for name, colour in zip(names, colours(len(names)), strict=True):
            a = architecture(name)
            axis.plot(c, drift(a, c), "--" if a.kind == "gpt2" else "-", color=colour, label=models.shown(name))
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(xlabel="cosine c that all pairs share", ylabel="drift dc / d log l")
        legend_below(figure)
    return closed(figure)


def maps(tables: dict[str, pd.DataFrame]) -> Figure:
    """Predicted mu of the last entry, a panel a table (`measurements.last_mu`), two a row, the value in each field."""
    columns = min(2, len(tables))
    rows = -(-len(tables) // columns)
    with plt.rc_context(STYLE):
        shape = {"figsize": (WIDTH * columns / 2, 2.7 * rows), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, columns, **shape)
        for axis, (title, table) in zip(axes.flat, tables.items(), strict=False):
            image = grid(axis, table, table.map("{:.2f}".format), "Reds", (0, 1))
            axis.set_title(title)
        for axis in axes.flat[len(tables) :]:
            axis.set_visible(False)
        figure.colorbar(image, ax=axes, label="mean cosine μ of the last entry")
    return closed(figure)


def against(table: pd.DataFrame) -> Figure:
    """Predicted and measured mu of the last entry over the index, with the spread over seeds (`over_width`)."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.6, 3), layout="constrained")
        axis.plot(table.index, table.predicted, color=BLUE, label="predicted")
        how = {"fmt": "o", "markersize": 4, "color": "0.35", "label": "measured"}
        axis.errorbar(table.index, table.measured, yerr=table.spread, **how)
        axis.set(xlabel=table.index.name, ylabel="last μ", ylim=(0, 1), xscale="log")
        axis.set_xticks(table.index, [f"{v:g}" for v in table.index])
        axis.minorticks_off()
        legend_below(figure)
    return closed(figure)
