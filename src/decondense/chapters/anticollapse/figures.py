"""Figures: how alike the forces of the losses are, and spread against validation loss."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import plots
from ...plots import STYLE, closed
from ...runs import tables
from ...runs.run import Run
from .training import LATE, LOSS, QUANTITIES, compared


def alike(table: pd.DataFrame) -> Figure:
    """Cosines between forces as a matrix, blue for the same direction and red for the opposite."""
    names = list(table.index)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.6, 5.6), layout="constrained")
        image = axis.imshow(table[names].to_numpy(), cmap="RdBu", vmin=-1, vmax=1)
        axis.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        for row, column in np.ndindex(len(names), len(names)):
            value = table.loc[names[row], names[column]]
            axis.text(
                column, row, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=7,
                color="white" if abs(value) > 0.6 else "black",
            )  # fmt: skip
        figure.colorbar(image, label="cosine between forces", shrink=0.7)
    return closed(figure)


def pareto(runs: Sequence[Run]) -> Figure:
    """Late-half μ against validation loss: the mean over the seeds of each condition, with its standard error."""
    shown = [*dict.fromkeys(compared(runs).values()), *compared(runs)]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
        for label in shown:
            x, y = (tables.by_seed(runs, QUANTITIES[name]).loc[label].dropna() for name in (LATE, LOSS))
            plain = label not in compared(runs)
            colour = "0.35" if plain else plots.BLUE
            error = lambda values: values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
            axis.errorbar(x.mean(), y.mean(), error(y), error(x), fmt="s" if plain else "o", color=colour, markersize=4)
            axis.annotate(label, (x.mean(), y.mean()), (4, 3), textcoords="offset points", fontsize=8)
        axis.set(xlabel="late-half μ (lower is more spread)", ylabel="validation loss (nats a token)")
        axis.margins(x=0.15)
    return closed(figure)
