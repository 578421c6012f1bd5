"""Figures: what is held over the size of the data, and the geometry of a model as it fills."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ... import plots
from ...plots import STYLE, WIDTH, closed, legend_below
from ...runs import tables
from . import readings
from .readings import HELD, LATE, PARTS, PLAIN, Filled
from .training import PUBLISHED

COLOURS = {PLAIN: "0.2"}  # the loss is blue
MARKERS = {PLAIN: ("s", 6.5)}  # larger, so that it shows behind the loss


def held(sizes: Mapping[str, Filled]) -> Figure:
    """Bits held against bits of data, both for each parameter: a panel a size of model, a line an arm, a dot a run."""
    with plt.rc_context(STYLE):
        size = (min(WIDTH, 3.2 * len(sizes) + 0.6), 3.2)
        figure, axes = plt.subplots(1, len(sizes), figsize=size, squeeze=False, layout="constrained", sharey=True)
        for axis, (name, found) in zip(axes[0], sizes.items(), strict=True):
            _all_of_it(axis, found)
            for label, values in _by_label(found, HELD).items():
                _line(axis, label, values)
            axis.axhline(PUBLISHED, color=plots.GREY, linewidth=1, linestyle=":", label="published")
            axis.set(title=name, xlabel="data (bits per parameter)", ylim=(0, None))
        axes[0, 0].set_ylabel("stored (bits per parameter)")
        legend_below(figure)
    return closed(figure)


def _all_of_it(axis: plt.Axes, found: Filled) -> None:
    most = [np.mean([run.results.get("memorisable", np.nan) / run.results["parameters"] for run in runs])
            for runs in found.values()]  # fmt: skip
    axis.plot(list(found), most, color=plots.GREY, linewidth=1, linestyle="--", label="all that can be stored")


def _by_label(found: Filled, quantity: str) -> dict[str, dict[float, np.ndarray]]:
    """Values of the runs by arm and size of data."""
    each = {bits: tables.by_seed(runs, readings.QUANTITIES[quantity]) for bits, runs in found.items()}
    labels = next(iter(each.values())).index
    return {label: {bits: table.loc[label].to_numpy() for bits, table in each.items()} for label in labels}


def _line(axis: plt.Axes, label: str, values: Mapping[float, np.ndarray]) -> None:
    marker, size = MARKERS.get(label, ("o", 3.5))
    style = {"color": COLOURS.get(label, plots.BLUE), "marker": marker, "markersize": size}
    axis.plot(list(values), [seeds.mean() for seeds in values.values()], label=label, linewidth=1.2, **style)
    for bits, seeds in values.items():
        axis.plot([bits] * len(seeds), seeds, linestyle="", alpha=0.35, **style)


def geometry(sizes: Mapping[str, Filled]) -> Figure:
    """Mean cosine of the late half, and what of it lies within texts and between them, over the size of the data.

    A panel per quantity, a line per arm of each size of model; the second size is dashed.
    """
    names = [LATE, *(f"{part}, late half" for part in PARTS[:2])]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 2.9), layout="constrained", sharey=True)
        for axis, quantity in zip(axes, names, strict=True):
            for (name, found), line in zip(sizes.items(), ("-", "--", ":"), strict=False):
                for label, values in _by_label(found, quantity).items():
                    means = [seeds.mean() for seeds in values.values()]
                    axis.plot(list(values), means, line, color=COLOURS.get(label, plots.BLUE), marker="o", markersize=3,
                              linewidth=1.2, label=f"{name}: {label}")  # fmt: skip
            axis.set(title=quantity, xlabel="data (bits per parameter)")
        axes[0].set_ylabel("mean cosine")
        legend_below(figure)
    return closed(figure)
