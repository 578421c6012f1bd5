"""Figures of the audit: what the cells allow, gains by task, power, spreads of averages, choice of checkpoints."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ... import stats
from ...paper.accuracies import MID_TRAINED, TASKS
from ...plots import BLUE, RED, STYLE, closed, colours, grid
from . import tables as audit

GREY = "0.75"
FLIPS = (0.02, 0.05, 0.1, 0.2)


def runs_map(found: pd.DataFrame, chance: pd.DataFrame) -> Figure:
    """How many of a row's eight cells each rule allows, and in brackets how many it would by chance (`audit.runs`)."""
    text = found.astype(int).astype(str) + "  (" + chance.map("{:.1f}".format) + ")"
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 0.235 * len(found) + 0.9), layout="constrained")
        image = _grid(axis, found.astype(float), text, (0, len(audit.GRANULAR)))
        figure.colorbar(image, ax=axis, label="cells of 8 allowed", shrink=0.5)
        axis.set_xticklabels([name.replace(", ", "\n") for name in found.columns])
    return closed(figure)


def cells_map(cells: pd.DataFrame, rule: str) -> Figure:
    """Every countable cell as printed; pale where `rule` allows it, dark where it does not (`audit.cells`)."""
    text = (cells["mean"].map("{:.1f}".format) + " ± " + cells["std"].map("{:.1f}".format)).unstack()
    forbidden = (~cells[rule]).unstack().astype(float)
    order = list(audit.GRANULAR)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7.4, 0.235 * len(text) + 0.9), layout="constrained")
        _grid(axis, forbidden[order], text[order], (-0.1, 1.4))
        axis.set_xticklabels([name.replace("_", "\n") for name in order])
    return closed(figure)


def _grid(axis, values: pd.DataFrame, text: pd.DataFrame, limits: tuple) -> AxesImage:
    """An annotated grid, one row a row of the paper's tables, with a line between base models."""
    names = [
        f"{row[1]}  {row[2].replace('_', ' ')}{' (Table 3)' if row[0] == 'Table 3' else ''}" for row in values.index
    ]
    models = values.index.get_level_values("model")
    image = grid(axis, values.set_axis(names), text, "Blues", limits)
    axis.set(xlabel="", ylabel="")
    axis.xaxis.tick_top()
    axis.tick_params(axis="both", labelsize=7.5, length=0)
    axis.hlines(np.flatnonzero(models[1:] != models[:-1]) + 1, *axis.get_xlim(), color="0.3", linewidth=1)
    return image


def gains(tables: dict[str, pd.DataFrame]) -> Figure:
    """Gain of every task (`audit_gains.gains`): dot and standard error between runs, and 1.96 errors of the items."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(tables), figsize=(2.1 * len(tables) + 0.9, 3.0), sharey=True, layout="constrained"
        )
        for axis, (model, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
            place = np.arange(len(table))[::-1]
            axis.barh(
                place,
                2 * 1.96 * table["items"],
                left=-1.96 * table["items"],
                color="0.9",
                label="± 1.96 errors of the items",
            )
            axis.errorbar(
                table.gain,
                place,
                xerr=table.seeds,
                fmt="o",
                markersize=4,
                color=BLUE,
                label="gain ± error between runs",
            )
            axis.axvline(0, color="0.5", linewidth=0.8)
            axis.axvline(table.gain.mean(), color=RED, linewidth=1, linestyle="--", label="gain of the average")
            axis.set_title(model)
            axis.set_xlabel("points")
            axis.set_yticks(place, [str(name).replace("_", " ") for name in table.index])
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return closed(figure)


def power(gains: pd.DataFrame, items: dict[str, int], flips: Sequence[float] = FLIPS) -> Figure:
    """Chance that a paired test finds a difference of the average, by share of flips; dashed lines at printed gains.

    `gains`: columns family, name, gain. `items`: of ten equal tasks, by family.
    """
    difference = np.linspace(0.01, 2.5, 120) / 100
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(items), figsize=(3.9 * len(items), 3.1), sharey=True, layout="constrained")
        for axis, (family, n) in zip(np.atleast_1d(axes), items.items(), strict=True):
            for share, colour in zip(flips, colours(len(flips)), strict=True):
                possible = difference[difference <= share]
                found = [stats.mcnemar_power(float(d), n, len(TASKS), share) for d in possible]
                axis.plot(100 * possible, found, color=colour, label=f"{share:.0%} of the items flip")
            for row in gains[gains.family == family].itertuples():
                axis.axvline(row.gain, color="0.4", linewidth=0.9, linestyle="--")
                axis.text(row.gain, 1.02, row.name, rotation=60, fontsize=7, ha="left", va="bottom")
            axis.axhline(0.8, color=GREY, linewidth=0.8)
            axis.set(xlabel="true difference of the average, points", xlim=(0, 2.5), ylim=(0, 1))
            axis.set_title(f"{family}: ten tasks of {n} items", y=-0.33)
        np.atleast_1d(axes)[0].set_ylabel("chance of p < 0.05")
        np.atleast_1d(axes)[-1].legend(fontsize=8, loc="lower right")
    return closed(figure)


def spreads(table: pd.DataFrame) -> Figure:
    """Printed spread of each average over the spread that independent tasks would give (`audit_gains.spreads`)."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
        models = table.index.get_level_values("model")
        for model, colour in zip(MID_TRAINED, colours(len(MID_TRAINED)), strict=True):
            rows = table[models == model]
            axis.errorbar(rows.independent, rows.printed, yerr=0.005, fmt="o", markersize=4, color=colour, label=model)
        end = 1.05 * max(table.independent.max(), table.printed.max())
        axis.plot([0, end], [0, end], color="0.5", linewidth=0.8)
        axis.text(0.93 * end, 0.95 * end, "equal", ha="right", fontsize=8, color="0.4")
        axis.set(xlabel="if the tasks vary independently, points", ylabel="printed spread of the average, points")
        axis.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        axis.legend(fontsize=8, loc="upper left")
    return closed(figure)


def choice(by_checkpoints: pd.DataFrame, positives: pd.DataFrame) -> Figure:
    """What the choice adds and takes by number of checkpoints, and what unequal noise makes of the t-test."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.0), layout="constrained")
        for (shared, rows), style in zip(by_checkpoints.groupby("shared"), ("-", "--"), strict=True):
            left.plot(
                rows.checkpoints, rows["shift"], style, color=RED, label=f"shift, {shared:.0%} of the variance shared"
            )
            left.plot(rows.checkpoints, rows.spread, style, color=BLUE, label=f"spread, {shared:.0%} shared")
        left.set(xlabel="checkpoints to choose from", ylabel="in spreads of one checkpoint", ylim=(0, None))
        left.legend(fontsize=7)
        right.plot(positives.index, positives.found, "o-", markersize=4, color=RED, label="p < 0.05")
        right.plot(
            positives.index, positives.better, "o-", markersize=4, color=BLUE, label="p < 0.05, the noisier one better"
        )
        right.axhline(0.05, color=GREY, linewidth=0.8)
        right.set(xlabel="noise between checkpoints, second to first", ylabel="share of t-tests", ylim=(0, None))
        right.legend(fontsize=7)
    return closed(figure)
