"""Figures of the expansion of the dispersion loss: what it replaces, how far it holds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...plots import BLUE, RED, STYLE, WIDTH, closed, legend_below
from .errors import ORDERS, kernel
from .tables import Targets


def curve(mean: float, spread: float) -> Figure:
    """The function that the loss averages over the cosines, with what each order asks of it, at one mean and spread."""
    c = np.linspace(-1, 1, 401)
    points = np.array([mean - spread, mean + spread])
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
        axis.plot(c, kernel(c), color="0.5", linewidth=1)
        axis.plot([mean], kernel(np.array([mean])), "o", color=BLUE, label="order 1: at the mean")
        axis.plot(points, kernel(points), "D--", color=RED, label="order 2: at two points", linewidth=0.8)
        axis.set(xlabel="cosine", ylabel="exp(-arccos(c) / π), clamped")
        legend_below(figure)
    return closed(figure)


def domain(tables: dict[str, pd.DataFrame], targets: Targets) -> Figure:
    """Error of the value, and 1 - cosine of the gradients, against the spread of the cosines; one dot per row.

    `tables` has the columns of `errors`, one marker a table. Dashed: the targets.
    """
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
        for (label, table), marker in zip(tables.items(), "ox^s", strict=False):
            for name, colour in zip(ORDERS, (BLUE, RED), strict=True):
                how = {"marker": marker, "color": colour, "s": 12, "alpha": 0.7, "linewidths": 0.8}
                left.scatter(table.spread, table[f"error, {name}"].abs(), **how)
                right.scatter(table.spread, 1 - table[f"gradient, {name}"], label=f"{label}, {name}", **how)
        left.axhline(targets.value, color="0.5", linestyle="--", linewidth=0.8)
        right.axhline(1 - targets.gradient, color="0.5", linestyle="--", linewidth=0.8)
        left.set(xlabel="spread of the cosines", ylabel="error of the value (%)", yscale="log")
        right.set(xlabel="spread of the cosines", ylabel="1 - cosine of the gradients", yscale="log")
        legend_below(figure)
    return closed(figure)
