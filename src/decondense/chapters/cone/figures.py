"""Figures: within against between over depth, trained above untrained; and along training."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ... import models, plots
from ...condensation import Condensation
from ...controls.figures import panel
from ...plots import STYLE, WIDTH, closed, legend_below
from ...runs.run import Run
from . import training

COLOURS = {"within": plots.BLUE, "between": plots.RED, "excess": "0.35"}
SAID = {"within": "within texts", "between": "between texts", "excess": "excess"}


def trained_and_untrained(trained: Mapping[str, Condensation], untrained: Mapping[str, Condensation]) -> Figure:
    """`controls.figures.panel` of each model, the trained one above the one with its first weights; 95 % intervals.

    A model that is in one of them only leaves the other panel empty. Without any model the figure says so.
    """
    names = list(dict.fromkeys([*trained, *untrained]))
    if not names:
        return plots.nothing()
    with plt.rc_context(STYLE):
        size = (min(WIDTH, 2.15 * len(names) + 0.6), 4.4)
        figure, axes = plt.subplots(2, len(names), figsize=size, squeeze=False, layout="constrained", sharey=True)
        for row, results in zip(axes, (trained, untrained), strict=True):
            for axis, name in zip(row, names, strict=True):
                if name in results:
                    panel(axis, results[name])
                else:
                    axis.set_axis_off()
        for axis, name in zip(axes[0], names, strict=True):
            axis.set_title(textwrap.fill(models.shown(name), 14), fontsize=8)
        for axis in axes[1]:
            axis.set_xlabel("layer fraction")
        axes[0, 0].set_ylim(min(0.0, axes[0, 0].get_ylim()[0]), 1.02)
        for axis, said in zip(axes[:, 0], ("trained", "first weights"), strict=True):
            axis.set_ylabel(f"{said}\nmean cosine")
        handles = next(axis for axis in axes.flat if axis.lines).get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2)
    return closed(figure)


def along(runs: Sequence[Run], place: str = "middle") -> Figure:
    """Within, between and excess at one place against the steps, a panel per loss: mean and range over the seeds."""
    labels = list(dict.fromkeys(run.label for run in runs))
    with plt.rc_context(STYLE):
        size = (min(WIDTH, 2.4 * len(labels) + 0.6), 2.9)
        figure, axes = plt.subplots(1, len(labels), figsize=size, squeeze=False, layout="constrained", sharey=True)
        for axis, label in zip(axes[0], labels, strict=True):
            table = training.along(runs, label, place)
            for name, colour in COLOURS.items():
                values = table[table.part == name].groupby("step").value
                mean, low, high = values.mean(), values.min(), values.max()
                axis.plot(mean.index, mean, color=colour, label=SAID[name], linewidth=1.2)
                axis.fill_between(mean.index, low, high, color=colour, alpha=0.2, linewidth=0)
            axis.set_xscale("symlog", linthresh=1)
            ticks = [0, *(10**k for k in range(1 + int(np.log10(max(1, mean.index.max())))))]
            axis.set(title=label, xticks=ticks, xlabel="step")
        axes[0, 0].set_ylabel(f"mean cosine, {place} entry")
        legend_below(figure)
    return closed(figure)
