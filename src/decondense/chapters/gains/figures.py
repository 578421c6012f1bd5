"""Figures of the gains: by task, power, spreads of averages, the choice of checkpoints."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import stats
from ...paper.accuracies import MID_TRAINED, TASKS, equivalent_items
from ...plots import BLUE, RED, STYLE, WIDTH, closed, colours, legend_below

GREY = "0.75"
FLIPS = (0.02, 0.05, 0.1, 0.2)


def gains(tables: dict[str, pd.DataFrame]) -> Figure:
    """Gain of every task (`tables.gains`): dot and standard error between runs, and 1.96 errors of the items."""
    with plt.rc_context(STYLE):
        shape = {"figsize": (min(WIDTH, 2.1 * len(tables) + 0.9), 3.2), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(tables), sharey=True, **shape)
        for axis, (model, table) in zip(axes.flat, tables.items(), strict=True):
            place, items = np.arange(len(table))[::-1], 1.96 * table["items"]
            axis.barh(place, 2 * items, left=-items, color="0.9", label="± 1.96 errors of the items")
            how = {"fmt": "o", "markersize": 4, "color": BLUE, "label": "gain ± error between runs"}
            axis.errorbar(table.gain, place, xerr=table.seeds, **how)
            axis.axvline(0, color="0.5", linewidth=0.8)
            axis.axvline(table.gain.mean(), color=RED, linewidth=1, linestyle="--", label="gain of the average")
            axis.set(title=model, xlabel="points")
            axis.set_yticks(place, [str(name).replace("_", " ") for name in table.index])
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return closed(figure)


def power(gains: pd.DataFrame, flips: Sequence[float] = FLIPS) -> Figure:
    """Chance that a paired test finds a difference of the average, by share of flips; dashed lines at printed gains.

    `gains`: columns model and gain; a panel per family, ten equal tasks of `equivalent_items` each.
    """
    families = gains.groupby(gains.model.str.extract(r"^([A-Za-z]+\d)", expand=False))
    with plt.rc_context(STYLE):
        shape = {"figsize": (min(WIDTH, 3.9 * len(families)), 3.4), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(families), sharey=True, **shape)
        for axis, (family, rows) in zip(axes.flat, families, strict=True):
            _power(axis, equivalent_items(family), flips)
            for row in rows.itertuples():
                axis.axvline(row.gain, color="0.4", linewidth=0.9, linestyle="--")
                axis.text(row.gain, 1.02, row.model, rotation=60, fontsize=7, ha="left", va="bottom")
            which = f"{family}: ten tasks of {equivalent_items(family)} items"
            axis.set_xlabel(f"true difference of the average, points\n{which}")  # above the axis are the models
        axes.flat[0].set_ylabel("chance of p < 0.05")
        legend_below(figure)
    return closed(figure)


def _power(axis, items: int, flips: Sequence[float]) -> None:
    difference = np.linspace(0.01, 2.5, 120) / 100
    for share, colour in zip(flips, colours(len(flips)), strict=True):
        possible = difference[difference <= share]
        found = [stats.mcnemar_power(float(d), items, len(TASKS), share) for d in possible]
        axis.plot(100 * possible, found, color=colour, label=f"{share:.0%} of the items flip")
    axis.axhline(0.8, color=GREY, linewidth=0.8)
    axis.set(xlim=(0, 2.5), ylim=(0, 1))


def spreads(table: pd.DataFrame) -> Figure:
    """Printed spread of each average over the spread that independent tasks would give (`tables.spreads`)."""
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
        axis.legend(loc="upper left")
    return closed(figure)


def choice(by_checkpoints: pd.DataFrame, positives: pd.DataFrame) -> Figure:
    """What the choice adds and takes by number of checkpoints, and what unequal noise makes of the t-test."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
        for (shared, rows), style in zip(by_checkpoints.groupby("shared"), ("-", "--"), strict=True):
            label = f"shift, {shared:.0%} of the variance shared"
            left.plot(rows.checkpoints, rows["shift"], style, color=RED, label=label)
            left.plot(rows.checkpoints, rows.spread, style, color=BLUE, label=f"spread, {shared:.0%} shared")
        left.set(xlabel="checkpoints to choose from", ylabel="in spreads of one checkpoint", ylim=(0, None))
        for column, colour, label in (
            ("found", RED, "p < 0.05"),
            ("better", BLUE, "p < 0.05, the noisier one better"),
        ):
            right.plot(positives.index, positives[column], "o-", markersize=4, color=colour, label=label)
        right.axhline(0.05, color=GREY, linewidth=0.8)
        right.set(xlabel="noise between checkpoints, second to first", ylabel="share of t-tests", ylim=(0, None))
        legend_below(figure)
    return closed(figure)
