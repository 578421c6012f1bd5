"""Figures: each quantity over the divergence from the start, and what training and the loss change over depth."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ... import plots
from ...plots import STYLE, WIDTH, closed, legend_below
from ...runs import tables
from ...runs.run import Run
from . import readings
from .readings import LATE, NAMES, PLAIN, RANK

SHOWN = (LATE, "late-half μ, own text", RANK)
DASHED = (0, (3, 1.5))
COLOURS = plots.colours(3, "colorblind")


def paths(found: Mapping[str, Sequence[Run]], at: float) -> Figure:
    """A panel a quantity, a line a run from the start on; colours are methods, dashed with the loss. Dotted: `at`."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(SHOWN), figsize=(WIDTH, 3.1), layout="constrained")
        for axis, name in zip(axes, SHOWN, strict=True):
            for method, colour in zip(found, COLOURS, strict=False):
                for run in found[method]:
                    _line(axis, run, name, colour, NAMES[method])
            axis.axvline(at, color=plots.GREY, linewidth=1, linestyle=":")
            axis.set(title=name, xlabel="KL from the start (nats a token)")
        legend_below(figure)
    return closed(figure)


def _line(axis: plt.Axes, run: Run, name: str, colour: tuple[float, float, float], method: str) -> None:
    label = method if run.label == PLAIN else f"{method}, {run.label}"
    style = "-" if run.label == PLAIN else DASHED
    axis.plot(readings.divergence(run), readings.course(run, name), color=colour, linestyle=style, linewidth=1.1,
              marker="o", markersize=2.5, label=label)  # fmt: skip


def over_depth(found: Mapping[str, Sequence[Run]], at: float, part: str = "μ") -> Figure:
    """The change from the start over depth at the divergence, mean over the seeds: a panel a method, neutral text."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(found), figsize=(WIDTH, 2.8), layout="constrained", sharey=True)
        for axis, (method, runs), colour in zip(np.atleast_1d(axes), found.items(), COLOURS, strict=False):
            for label in tables.first(runs):
                each = [
                    line
                    for run in runs
                    if run.label == label
                    if np.isfinite(line := readings.depth_at(run, part, at)).all()
                ]
                style = "-" if label == PLAIN else DASHED
                if each:  # none where no run came as far
                    axis.plot(np.mean(each, axis=0), color=colour, linestyle=style, label=f"{NAMES[method]}, {label}")
            axis.axhline(0, color=plots.GREY, linewidth=0.8)
            axis.set(title=NAMES[method], xlabel="entry")
        axes[0].set_ylabel(f"{part} minus the start's")
        legend_below(figure)
    return closed(figure)
