"""Fig. 4 beside runs made here: the level of mu, the published checkpoints, and the correlations of each shape."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ... import paper
from ...condensation import Condensation
from ...plots import BLUE, RED, SMALL, STYLE, WIDTH, closed, colours, legend_below
from ...runs.run import Run
from .course import band, labels

TREND = {"rho": ("Spearman ρ", "spearman", BLUE), "tau": ("Kendall τ", "kendall", RED)}


def paths(runs: Sequence[Run], start: Sequence[Condensation] = ()) -> Figure:
    """Late-half mu of all labels, Fig. 4 as published, and rho and tau of each label, two panels a row.

    Runs are drawn against tokens on a log axis, initialisation apart at its left: mean over the seeds, band from lowest
    to highest. The published points (`paper.training_run`, grey) are joined within a stage of training; `start`, the
    same model untrained and measured here, is beside the first of them.
    """
    names = labels(runs)
    panels = [*(["level"] if names else []), "published", *names]
    rows = -(-len(panels) // 2)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 2.5 * rows + 0.5), squeeze=False, layout="constrained")
        for axis, panel in zip(axes.flat, panels, strict=False):
            if panel == "level":
                _levels(axis, runs)
            elif panel == "published":
                _published(axis, paper.training_run(), start)
            else:
                _correlations(axis, runs, panel)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        legend_below(figure)
    return closed(figure)


def _levels(axis: Axes, runs: Sequence[Run]) -> None:
    names = labels(runs)
    for label, colour in zip(names, ("#009e73", "#e69f00") if len(names) < 3 else colours(len(names)), strict=False):
        _path(axis, band(runs, label, "late_half"), f"{label}, trained here", colour)
    axis.set(title="level: late-half μ, trained here", ylabel="mean cosine μ", ylim=(0, 1.02))


def _correlations(axis: Axes, runs: Sequence[Run], label: str) -> None:
    for column, (symbol, _, colour) in TREND.items():
        _path(axis, band(runs, label, column), f"{symbol}, here", colour)
    axis.set(title=f"order: {label}, trained here", ylabel="correlation of μ with depth", ylim=(-1.08, 1.08))
    axis.axhline(0, color="0.85", linewidth=0.8, zorder=0)


def _published(axis: Axes, points: pd.DataFrame, start: Sequence[Condensation]) -> None:
    stages = points.checkpoint.str.split("-").str[0]
    for (name, (symbol, metric, colour)), shade, marker in zip(TREND.items(), ("0.35", "0.65"), "os", strict=True):
        for stage in stages.unique():
            within = points[stages == stage]
            how = {"color": shade, "markersize": 3.5, "linewidth": 1.2, "label": f"{symbol}, published"}
            axis.plot(within.index, within[metric], f"{marker}-", **how)
        if start:
            here = [getattr(result, name) for result in start]
            how = {"color": colour, "markersize": 7, "fillstyle": "none", "label": f"{symbol}, untrained here"}
            axis.plot([points.index[0]] * len(here), here, "D", **how)
    axis.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    axis.set_xticks(points.index, points.checkpoint, rotation=60, ha="right", rotation_mode="anchor", fontsize=SMALL)
    axis.set(title="order: Olmo-3-7B, published", ylabel="correlation of μ with depth", ylim=(-1.08, 1.08))


def _path(axis: Axes, table: pd.DataFrame, label: str, colour) -> None:
    """One quantity over the tokens; the first row, at 0 tokens, has no place on a log axis and gets one of its own."""
    later = table.iloc[1:]
    apart = later.tokens.iloc[0] / 4
    start = table.iloc[0]
    axis.vlines(apart, start.low, start.high, color=colour, linewidth=1)
    axis.plot(apart, start["mean"], "D", color=colour, markersize=4)
    axis.plot(later.tokens, later["mean"], "o-", color=colour, markersize=3, linewidth=1.2, label=label)
    axis.fill_between(later.tokens, later.low, later.high, color=colour, alpha=0.2, linewidth=0)
    axis.axvline(later.tokens.iloc[0] / 2, color="0.8", linestyle=":", linewidth=0.8)
    axis.set_xscale("log")
    decades = 10.0 ** np.arange(np.ceil(np.log10(later.tokens.iloc[0])), np.log10(later.tokens.iloc[-1]) + 1e-9)
    axis.set_xticks([apart, *decades], ["start", *(f"$10^{np.log10(d):.0f}$" for d in decades)])
    axis.minorticks_off()
    axis.set_xlabel("tokens seen")
