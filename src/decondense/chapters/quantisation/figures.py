"""Figures: what each scheme costs each arm, and the share of it that an arm saves."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ... import plots
from ...plots import STYLE, WIDTH, closed, legend_below
from ...runs import tables
from ...runs.run import Run
from . import readings
from .readings import FLOOR, PLAIN, ROTATED

LOOKS = {  # of an arm: colour and marker
    PLAIN: ("0.2", "s"), "dispersion": (plots.BLUE, "o"), "centred": ("#2a9d8f", "^"), "collapsed": ("#b5651d", "v"),
}  # fmt: skip
LEAST = FLOOR / 20  # nats a token: what is less is not shown
REACH = (-1.6, 2.4)  # of the axis of shares; longer intervals run out of it


def costs(runs: Sequence[Run]) -> Figure:
    """The cost of every scheme, log axis from `LEAST`: a mark for each arm, pale ones for the seeds; rotated beside."""
    every = readings.schemes(runs[0].record)
    panels = {"as they are": [s for s in every if ROTATED not in s], "rotated": [s for s in every if ROTATED in s]}
    shown = {title: names for title, names in panels.items() if names}
    widths = [len(names) + 1 for names in shown.values()]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 3.4), squeeze=False, layout="constrained",
                                    sharey=True, width_ratios=widths)  # fmt: skip
        for axis, (title, names) in zip(axes[0], shown.items(), strict=True):
            for number, label in enumerate(readings.labels(runs)):
                _arm(axis, runs, label, names, 0.14 * (number - 1.5))
            axis.axhline(FLOOR, color=plots.GREY, linewidth=1, linestyle=":")
            axis.set_xticks(range(len(names)), [name.replace(ROTATED, "") for name in names], rotation=60, ha="right")
            axis.set(title=title, yscale="log", ylim=(LEAST, None))
        axes[0, 0].set_ylabel("loss added (nats a token)")
        legend_below(figure)
    return closed(figure)


def _arm(axis: plt.Axes, runs: Sequence[Run], label: str, names: Sequence[str], shift: float) -> None:
    colour, marker = LOOKS.get(label, (plots.GREY, "D"))
    places = np.arange(len(names)) + shift
    each = [tables.by_seed(runs, readings.cost(name)).loc[label].dropna().to_numpy() for name in names]
    for place, seeds in zip(places, each, strict=True):
        axis.plot([place] * len(seeds), seeds, linestyle="", marker=marker, markersize=2.5, color=colour, alpha=0.3)
    means = [seeds.mean() for seeds in each]
    axis.plot(places, means, linestyle="", marker=marker, markersize=5, color=colour, label=label)


def saved(runs: Sequence[Run]) -> Figure:
    """For each scheme that costs plain training enough: the change of that cost with each arm, with 95 % intervals."""
    names = [s for s in readings.schemes(runs[0].record) if readings.enough(runs, s)]
    others = [label for label in readings.labels(runs) if label != PLAIN]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(names) + 1.4), layout="constrained")
        for number, label in enumerate(others):
            colour, marker = LOOKS.get(label, (plots.GREY, "D"))
            found = [readings.saved(runs, label, readings.cost(name)) for name in names]
            values = np.array([each.value for each in found])
            reach = np.abs(np.array([each.interval for each in found]).reshape(-1, 2).T - values)
            axis.errorbar(values, np.arange(len(names)) + 0.2 * (number - 1), xerr=np.nan_to_num(reach), fmt=marker,
                          color=colour, markersize=4, linewidth=1, label=label)  # fmt: skip
        axis.axvline(0, color="0.2", linewidth=0.8)
        axis.axvline(-0.5, color=plots.GREY, linewidth=1, linestyle=":")
        axis.set_yticks(range(len(names)), names)
        axis.set_xlim(REACH)
        axis.invert_yaxis()
        axis.set_xlabel("change of the loss added, as a share of that of plain training (left: loses less)")
        legend_below(figure)
    return closed(figure)
