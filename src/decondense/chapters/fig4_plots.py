"""Figures of where training starts and where it goes: untrained models by family, checkpoints of a run."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..condensation import Condensation
from ..plots import BLUE, RED, STYLE, closed, colours
from . import fig4

TREND = {"rho": ("ρ", "spearman", BLUE), "tau": ("τ", "kendall", RED)}


def untrained(groups: Mapping[str, Mapping[str, Sequence[Condensation]]]) -> Figure:
    """mu over depth, one panel a family and one line a model: mean over the seeds, band from lowest to highest."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(groups), figsize=(2.6 * len(groups) + 0.4, 2.9), squeeze=False, sharey=True, layout="constrained"
        )
        for axis, (family, models) in zip(axes.flat, groups.items(), strict=True):
            for (name, results), colour in zip(models.items(), colours(len(models)), strict=True):
                mu, depth = np.array([r.mu for r in results]), results[0].layer_fraction
                axis.plot(depth, mu.mean(0), color=colour, label=name)
                axis.fill_between(depth, mu.min(0), mu.max(0), color=colour, alpha=0.2, linewidth=0)
            axis.set(title=family, xlabel="layer fraction", ylim=(0, 1), xticks=(0, 0.5, 1))
            axis.legend(fontsize=7)
        axes.flat[0].set_ylabel("mean cosine μ, untrained")
    return closed(figure)


def training(runs: Sequence, published: pd.DataFrame, start: Sequence[Condensation] = ()) -> Figure:
    """Fig. 4 beside runs made here: rho and tau at each checkpoint, and mu of the late half.

    First the published points over the checkpoints of Olmo-3 (`paper.training_run`), with `start`, its untrained
    measurements here, as diamonds at the first. Then one panel a label, and one for the late half of all labels:
    against tokens on a log axis, initialisation apart at its left, mean over the seeds, band from lowest to highest.
    """
    labels = fig4.labels(runs)
    panels = 1 + len(labels) + bool(labels)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, panels, figsize=(2.9 * panels + 1, 3.0), squeeze=False, layout="constrained")
        _published(axes.flat[0], published, start)
        for axis, label in zip(axes.flat[1:], labels, strict=False):
            for column, (symbol, _, colour) in TREND.items():
                _path(axis, fig4.band(runs, label, column), symbol, colour)
            axis.set(title=label, ylim=(-1.05, 1.05))
            axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        if labels:
            for label, colour in zip(labels, colours(len(labels)), strict=True):
                _path(axes.flat[-1], fig4.band(runs, label, "late_half"), label, colour)
            axes.flat[-1].set(title="late half of the layers", ylabel="mean cosine μ", ylim=(0, 1))
        for axis in axes.flat:
            axis.legend(fontsize=8)
    return closed(figure)


def _published(axis, points: pd.DataFrame, start: Sequence[Condensation]) -> None:
    for name, (symbol, metric, colour) in TREND.items():
        axis.plot(points.index, points[metric], "o-", color=colour, markersize=3, linewidth=1, label=symbol)
        if start:
            here, label = [getattr(result, name) for result in start], f"{symbol}, untrained here"
            first = [points.index[0]] * len(here)
            axis.plot(first, here, "D", color=colour, markersize=6, fillstyle="none", label=label)
    axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axis.set_xticks(points.index, points.checkpoint, rotation=60, ha="right", fontsize=7)
    axis.set(title="Olmo-3-7B, published", ylabel="correlation of μ with depth", ylim=(-1.05, 1.05))


def _path(axis, table: pd.DataFrame, label: str, colour) -> None:
    """One quantity over the tokens; the first row, at 0 tokens, has no place on a log axis and gets one of its own."""
    later = table.iloc[1:]
    apart = later.tokens.iloc[0] / 4
    start = table.iloc[0]
    axis.vlines(apart, start.low, start.high, color=colour, linewidth=1)
    axis.plot(apart, start["mean"], "D", color=colour, markersize=4)
    axis.plot(later.tokens, later["mean"], "o-", color=colour, markersize=3, linewidth=1, label=label)
    axis.fill_between(later.tokens, later.low, later.high, color=colour, alpha=0.2, linewidth=0)
    axis.axvline(later.tokens.iloc[0] / 2, color="0.8", linestyle=":", linewidth=0.8)
    axis.set_xscale("log")
    decades = 10.0 ** np.arange(np.ceil(np.log10(later.tokens.iloc[0])), np.log10(later.tokens.iloc[-1]) + 1e-9)
    axis.set_xticks([apart, *decades], ["start", *(f"$10^{np.log10(d):.0f}$" for d in decades)])
    axis.minorticks_off()
    axis.set_xlabel("tokens seen")
