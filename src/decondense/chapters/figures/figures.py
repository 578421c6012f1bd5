"""The figure of the falls: how unlikely each printed series is if its order were random."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...plots import BLUE, GREY, RED, STYLE, WIDTH, closed, legend_below
from ...stats import ALPHA


def falls(found: pd.DataFrame, metric: str) -> Figure:
    """p of each series (`published.falls`): of one metric with its range, Holm's, and the least of so few values."""
    rows = found[found.metric == metric]
    place = np.arange(len(rows))[::-1]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 0.3 * len(rows) + 1.3), layout="constrained")
        axis.plot(rows.least, place, "|", color=GREY, markersize=11, label="the least that so many values can give")
        axis.hlines(place, rows.low, rows.high, color=BLUE, linewidth=3, alpha=0.4)
        axis.plot(rows.p, place, "o", color=BLUE, markersize=5, label="share of orderings that fall as much")
        axis.plot(rows.holm, place, "s", color=RED, markersize=5, label="the same, corrected for all series (Holm)")
        axis.axvline(ALPHA, color="0.5", linewidth=0.8, linestyle="--")
        names = [f"{row.family}, {row.text} (Fig. {row.figure[3:]}), n = {row.n}" for row in rows.itertuples()]
        axis.set_yticks(place, names)
        axis.set(xscale="log", xlabel="p")
        legend_below(figure)
    return closed(figure)
