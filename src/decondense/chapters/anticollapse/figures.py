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
    """Late-half μ against validation loss: the mean over the seeds of each condition, with its standard error.

    What is worse than plain training by more than all others gain would squeeze them: it is named with its place.
    """
    plain, found = set(compared(runs).values()), _places(runs)
    places = {label: place for label, (place, _) in found.items()}
    best, worst = min(y for _, y in places.values()), max(places[label][1] for label in plain)
    far = [label for label, (_, y) in places.items() if y > worst + (worst - best)]
    near = sorted(set(places) - set(far), key=lambda label: places[label][1])
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
        for number, label in enumerate(near):
            (x, y), (dx, dy) = found[label]
            colour, marker = ("0.35", "s") if label in plain else (plots.BLUE, "o")
            axis.errorbar(x, y, dy, dx, fmt=marker, color=colour, markersize=4, linewidth=1)
            beside = (
                near[number ^ 1] if number ^ 1 < len(near) else label
            )  # two of about the same loss: each to its side
            side, shift = ("right", -6) if x < places[beside][0] else ("left", 6)
            axis.annotate(label, (x, y), (shift, 0), textcoords="offset points", fontsize=8, ha=side, va="center")
        axis.set(xscale="log", xlabel="late-half μ (lower is more spread)", ylabel="validation loss (nats a token)")
        axis.margins(x=0.3)
        said = [f"{label}: μ {places[label][0]:.2f}, loss {places[label][1]:.2f}" for label in far]
        axis.set_title("\n".join(["beyond the axes:", *said]) if far else "", fontsize=8, loc="right")
    return closed(figure)


def _places(runs: Sequence[Run]) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """For each label μ and the loss: the means over the seeds, and their standard errors."""
    of_seeds = [tables.by_seed(runs, QUANTITIES[name]) for name in (LATE, LOSS)]
    shown = [*dict.fromkeys(compared(runs).values()), *compared(runs)]
    found = {label: [table.loc[label].dropna() for table in of_seeds] for label in shown}
    error = lambda values: float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0
    return {
        label: (tuple(float(v.mean()) for v in both), tuple(error(v) for v in both)) for label, both in found.items()
    }
