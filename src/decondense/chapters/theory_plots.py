"""Figures of the theory: padding factors and their bounds, predicted against measured cosines, drift, maps."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..condensation import Condensation
from ..plots import BLUE, RED, STYLE, closed, colours, grid
from . import appendix
from .signal import recursion
from .signal.recursion import Propagation


def padding(norms: Sequence[float], m: int) -> Figure:
    """Left: `padding_factor` over the number of entries, one line a norm. Right: the same over r^2 / (r^2 + m).

    Dotted: the upper bound r^2 / (r^2 + m - 2). Dashed: `m`.
    """
    entries = np.unique(np.logspace(0.31, 4, 80).astype(int))
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
        for r, colour in zip(norms, colours(len(norms)), strict=True):
            factor, jensen = appendix.padding_factor(r, entries), r**2 / (r**2 + entries)
            left.loglog(entries, factor, color=colour, label=f"r = {r:g}")
            right.semilogx(entries, factor / jensen, color=colour)
            right.semilogx(entries, (r**2 + entries) / (r**2 + entries - 2), ":", color=colour)
        for axis in (left, right):
            axis.axvline(m, color="0.6", linewidth=0.8, linestyle="--")
            axis.set_xlabel("entries of padding m")
        left.set_ylabel("factor of the expected cosine")
        left.legend(fontsize=8)
        right.axhline(1, color="0.6", linewidth=0.8)
        right.set(ylabel="factor / (r² / (r² + m))", ylim=(0.97, 1.6))
    return closed(figure)


def padded_cosines(table: pd.DataFrame, m: int) -> Figure:
    """Mean of the padded cosine over the norm r, lines by formula with one standard deviation, dots by Monte Carlo.

    `table`: columns before, r, mean (one row a simulation).
    """
    r = np.logspace(-0.5, 2.5, 120)
    groups = table.groupby("before")
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.3), layout="constrained")
        for (before, rows), colour in zip(groups, colours(len(groups)), strict=True):
            mean = before * appendix.padding_factor(r, m)
            spread = np.sqrt(np.maximum(appendix.second_moment(before, r, m) - mean**2, 0))
            axis.semilogx(r, mean, color=colour, label=f"cosine {before:g} before")
            axis.fill_between(r, mean - spread, mean + spread, color=colour, alpha=0.2)
            axis.plot(rows.r, rows["mean"], "o", markersize=4, color=colour)
        axis.set(xlabel="norm r of both vectors", ylabel=f"cosine after {m} padded entries")
        axis.legend(fontsize=8)
    return closed(figure)


def predictions(
    measured: Sequence[Condensation], predicted: dict[str, Propagation], uniform: dict[str, Propagation]
) -> Figure:
    """mu over depth, one panel a model: measured (dots, seeds of the texts), predicted, and with uniform attention."""
    columns = min(3, len(measured))
    rows = -(-len(measured) // columns)
    with plt.rc_context(STYLE):
        shape = {"figsize": (2.6 * columns + 0.3, 2.2 * rows + 0.4), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, columns, sharex=True, sharey=True, **shape)
        for axis, r in zip(axes.flat, measured, strict=False):
            axis.plot(r.layer_fraction, r.mu, "o", markersize=3, color="0.35", label="measured")
            axis.plot(r.layer_fraction, predicted[r.name].mu, color=BLUE, label="predicted")
            axis.plot(r.layer_fraction, uniform[r.name].mu, "--", color=RED, linewidth=1, label="uniform attention")
            axis.set_title(r.name)
            axis.set_ylim(0, 1)
        for axis in axes.flat[len(measured) :]:
            axis.set_visible(False)
        axes[0, 0].legend(fontsize=7, loc="upper left")
        figure.supxlabel("layer fraction", fontsize=9)
        figure.supylabel("mean cosine μ", fontsize=9)
    return closed(figure)


def drifts(names: Sequence[str]) -> Figure:
    """`signal_propagation.drift` over the cosine, one line a model: positive where tokens condense."""
    c = np.linspace(0.005, 1, 150)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.6, 3.3), layout="constrained")
        for name, colour in zip(names, colours(len(names)), strict=True):
            a = recursion.architecture(name)
            axis.plot(c, recursion.drift(a, c), "--" if a.kind == "gpt2" else "-", color=colour, label=name)
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(xlabel="cosine c that all pairs share", ylabel="drift dc / d log l")
        axis.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc="upper left")
    return closed(figure)


def maps(tables: dict[str, pd.DataFrame]) -> Figure:
    """Predicted mu of the last entry, one panel a table (`signal_checks.last_mu`), the value in each field."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(tables), figsize=(4.1 * len(tables), 3.2), layout="constrained")
        for axis, (title, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
            image = grid(axis, table, table.map("{:.2f}".format), "Reds", (0, 1))
            axis.set_title(title)
        figure.colorbar(image, ax=axes)
    return closed(figure)


def against(table: pd.DataFrame, log: bool = True) -> Figure:
    """Predicted and measured mu of the last entry over the index, with the spread over seeds (`signal_checks`)."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.6, 3), layout="constrained")
        axis.plot(table.index, table.predicted, color=BLUE, label="predicted")
        axis.errorbar(
            table.index, table.measured, yerr=table.spread, fmt="o", markersize=4, color="0.35", label="measured"
        )
        axis.set(xlabel=table.index.name, ylabel="last μ", ylim=(0, 1), xscale="log" if log else "linear")
        axis.set_xticks(table.index, [f"{v:g}" for v in table.index])
        axis.minorticks_off()
        axis.legend(fontsize=8)
    return closed(figure)
