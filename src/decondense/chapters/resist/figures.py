"""Figures: the designs beside each other, over depth, and before training beside what was predicted."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ...models.variants.designs import REFERENCE
from ...plots import BLUE, STYLE, WIDTH, closed, colours, legend_below
from . import readings
from .readings import LATE, LOSS, PLAIN, Found

BLACK = "0.15"
BAND = 0.05  # the recursion's tolerance


def compared(found: Found) -> Figure:
    """A row per design, the lowest plain μ on top: late-half μ, and the validation loss minus the plain reference's."""
    late, loss = (
        {label: readings.values(found, label, quantity) for label in labels(found)} for quantity in (LATE, LOSS)
    )
    names = list(late[PLAIN].mean(axis=1).sort_values(ascending=False).index)
    with plt.rc_context(STYLE):
        size = (WIDTH, 0.27 * len(names) + 1.3)
        figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
        for label, (colour, marker) in zip(late, ((BLACK, "s"), (BLUE, "o")), strict=False):
            _dots(axes[0], late[label].loc[names], label, colour, marker)
            _dots(axes[1], loss[label].loc[names] - loss[PLAIN].loc[REFERENCE], label, colour, marker)
        axes[0].axvline(late[PLAIN].loc[REFERENCE].mean(), color="0.7", linewidth=0.8, zorder=0)
        axes[1].axvline(0, color="0.7", linewidth=0.8, zorder=0)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set(xlabel="late-half μ", xlim=(0, None))
        axes[1].set(xlabel=f"validation loss minus {REFERENCE}'s (nats a token)")
        legend_below(figure)
    return closed(figure)


def labels(found: Found) -> list[str]:
    """PLAIN and the loss, in that order."""
    return list(dict.fromkeys(run.label for run in next(iter(found.values()))))


def _dots(axis: plt.Axes, table, label: str, colour: str, marker: str) -> None:
    """A mean per row, and a pale dot per seed."""
    at = np.arange(len(table))
    style = {"color": colour, "marker": marker, "linestyle": ""}
    for _, seed in table.items():
        axis.plot(seed, at, alpha=0.25, markersize=3, **style)
    axis.plot(table.mean(axis=1), at, markersize=5, label=label, **style)


def depth(found: Found, names: Sequence[str]) -> Figure:
    """μ over depth, a colour per design: plain on the left, with the loss on the right."""
    with plt.rc_context(STYLE):
        kinds = labels(found)
        size = (min(WIDTH, 3.4 * len(kinds)), 3.3)
        figure, axes = plt.subplots(1, len(kinds), figsize=size, sharey=True, layout="constrained", squeeze=False)
        for axis, kind in zip(axes[0], kinds, strict=True):
            for name, colour in zip(names, colours(len(names), "colorblind"), strict=True):
                mu = readings.over_depth(found, name, kind)
                axis.plot(np.linspace(0, 1, len(mu)), mu, "o-", color=colour, markersize=3, linewidth=1.2, label=name)
            axis.set(title=kind, xlabel="layer fraction", ylim=(0, None))
        axes[0, 0].set_ylabel("mean cosine μ")
        legend_below(figure)
    return closed(figure)


def initial(predicted: Mapping[str, Sequence[float]], measured: Mapping[str, Sequence[float]]) -> Figure:
    """Before training: the last entry of each design, and every entry measured against predicted."""
    names = sorted(measured, key=lambda name: -measured[name][-1])
    with plt.rc_context(STYLE):
        size = (WIDTH, 0.22 * len(names) + 1.3)
        figure, (left, right) = plt.subplots(1, 2, figsize=size, layout="constrained")
        at = np.arange(len(names))
        left.plot([predicted[name][-1] for name in names], at, "|", color=BLUE, markersize=12, label="predicted")
        left.plot([measured[name][-1] for name in names], at, "o", color=BLACK, markersize=4, label="measured")
        left.set_yticks(at, names)
        left.set(xlabel="μ of the last entry", xlim=(0, 1))
        ends = np.array([0.0, 1.0])
        right.fill_between(ends, ends - BAND, ends + BAND, color="0.9", linewidth=0, label="tolerance")
        for name in names:
            right.plot(predicted[name], measured[name], ".", color=BLACK, markersize=4)
        right.set(xlabel="predicted μ, every entry", ylabel="measured μ", xlim=(0, 1), ylim=(0, 1))
        legend_below(figure)
    return closed(figure)
