"""Figures of the padding: the factor with its bounds, and padded cosines by formula and by draws."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...plots import STYLE, WIDTH, closed, colours, legend_below
from .factors import padding_factor, second_moment


def padding(norms: Sequence[float], m: int) -> Figure:
    """Left: `padding_factor` over the number of entries, one line a norm. Right: the same over r^2 / (r^2 + m).

    Dotted: the upper bound r^2 / (r^2 + m - 2). Dashed: `m`.
    """
    entries = np.unique(np.logspace(0.31, 4, 80).astype(int))
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
        for r, colour in zip(norms, colours(len(norms)), strict=True):
            factor, jensen = padding_factor(r, entries), r**2 / (r**2 + entries)
            left.loglog(entries, factor, color=colour, label=f"r = {r:g}")
            right.semilogx(entries, factor / jensen, color=colour)
            right.semilogx(entries, (r**2 + entries) / (r**2 + entries - 2), ":", color=colour)
        for axis in (left, right):
            axis.axvline(m, color="0.6", linewidth=0.8, linestyle="--")
            axis.set_xlabel("number of padded entries m")
        left.set_ylabel("factor that shrinks the mean cosine")
        right.axhline(1, color="0.6", linewidth=0.8)
        right.set(ylabel="factor / (r² / (r² + m))", ylim=(0.97, 1.6))
        legend_below(figure)
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
            mean = before * padding_factor(r, m)
            spread = np.sqrt(np.maximum(second_moment(before, r, m) - mean**2, 0))
            axis.semilogx(r, mean, color=colour, label=f"cosine {before:g} before")
            axis.fill_between(r, mean - spread, mean + spread, color=colour, alpha=0.2)
            axis.plot(rows.r, rows["mean"], "o", markersize=4, color=colour)
        axis.set(xlabel="norm r of both vectors", ylabel=f"cosine after {m} padded entries")
        legend_below(figure)
    return closed(figure)
