"""Figures: along training, and the differences of the accuracy."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import plots
from ...plots import STYLE, WIDTH, closed
from ...runs import tables
from ...runs.run import Run
from .published import published_gain
from .quantities import ACCURACY


def along(runs: Mapping[str, Sequence[Run]], columns: Mapping[str, str]) -> Figure:
    """Columns of `Run.path` against the steps (logarithmic; step 0 is left of them), mean and range over seeds.

    One row of panels for each of `columns` (name of the column to label of the axis), one column per model.
    """
    labels = list(tables.first([run for trained in runs.values() for run in trained]))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(columns), len(runs), figsize=(min(WIDTH, 3.1 * len(runs) + 1.2), 1.7 * len(columns) + 0.7),
            squeeze=False, sharex="col", layout="constrained",
        )  # fmt: skip
        for row, (name, label) in zip(axes, columns.items(), strict=True):
            for axis, trained in zip(row, runs.values(), strict=True):
                _paths(axis, trained, name, labels)
            row[0].set_ylabel(label)
        for axis, model in zip(axes[0], runs, strict=True):
            axis.set_title(model)
        for axis in axes[-1]:
            axis.set_xlabel("step")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(labels))
    return closed(figure)


def _paths(axis, trained: Sequence[Run], name: str, labels: Sequence[str]) -> None:
    steps = trained[0].path["step"].to_numpy()
    at = np.where(steps == 0, 0.5, steps)
    for label, colour in zip(labels, plots.colours(len(labels), "colorblind"), strict=True):
        values = np.array([run.path[name] for run in trained if run.label == label])
        axis.plot(at, values.mean(0), color=colour, linewidth=1, marker=".", markersize=4, label=label)
        axis.fill_between(at, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.set_xscale("log")
    shown = [step for step in (1, 10, 100, 1_000, 10_000) if step <= steps[-1]]
    axis.set_xticks([0.5, *shown], ["0", *map(str, shown)])
    axis.minorticks_off()


def gains(compared: pd.DataFrame) -> Figure:
    """The differences of the average on the benchmarks, with the published one beside the condition of the paper."""
    table = compared.xs(ACCURACY, level="quantity")
    printed = [published_gain() if label == "dispersion" else np.nan for _, label in table.index]
    return plots.differences(table, "acc minus that of train (percentage points)", printed, "seeds and items")
