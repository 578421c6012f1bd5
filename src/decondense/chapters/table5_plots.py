"""Figures of training from scratch: quantities along training, and differences over seeds."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import BLUE, RED, STYLE, closed, colours
from ..runs.run import Run


def along(runs: Mapping[str, Sequence[Run]], columns: Mapping[str, str]) -> Figure:
    """Columns of `Run.path` against the steps (logarithmic; step 0 stands left of them), mean and range over seeds.

    One row of panels for each of `columns` (name of the column to label of the axis), one column a model.
    """
    labels = list(dict.fromkeys(run.label for trained in runs.values() for run in trained))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(columns), len(runs), figsize=(3.1 * len(runs) + 0.6, 2.1 * len(columns) + 0.7),
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
        figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=len(labels))
    return closed(figure)


def _paths(axis, trained: Sequence[Run], name: str, labels: Sequence[str]) -> None:
    steps = trained[0].path["step"].to_numpy()
    at = np.where(steps == 0, 0.5, steps)
    for label, colour in zip(labels, colours(len(labels), "colorblind"), strict=True):
        values = np.array([run.path[name] for run in trained if run.label == label])
        axis.plot(at, values.mean(0), color=colour, linewidth=1, marker=".", markersize=4, label=label)
        axis.fill_between(at, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.set_xscale("log")
    shown = [step for step in (1, 10, 100, 1_000, 10_000) if step <= steps[-1]]
    axis.set_xticks([0.5, *shown], ["0", *map(str, shown)])
    axis.minorticks_off()


def differences(table: pd.DataFrame, xlabel: str, published: Sequence[float]) -> Figure:
    """Rows of `table5.comparisons` of one quantity with their intervals over seeds, beside published differences.

    NaN in `published` draws nothing.
    """
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 0.45 * len(table) + 1.2), layout="constrained")
        at = np.arange(len(table))[::-1]
        axis.hlines(at, table["low"], table["high"], color=BLUE, linewidth=2, alpha=0.5)
        axis.plot(table["difference"], at, "o", color=BLUE, markersize=5, label="here, 95 % interval over seeds")
        axis.plot(published, at, "D", color=RED, markersize=5, label="published, one run each")
        axis.axvline(0, color="0.7", linewidth=0.8)
        axis.set_yticks(at, [", ".join(index) if isinstance(index, tuple) else index for index in table.index])
        axis.set(xlabel=xlabel, ylim=(-0.6, len(table) - 0.4))
        figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return closed(figure)
