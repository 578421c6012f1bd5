"""Figures of the page on static embeddings: cosine to the mean against frequency, and what the cures leave."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ...plots import BLUE, STYLE, WIDTH, closed, colours, legend_below
from .tables import CURES, Embedding


def frequency(found: Mapping[str, Embedding]) -> Figure:
    """Cosine of a row to the mean direction of all over how often its word or token comes, one panel an embedding."""
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    low = min(0, *(min(one.described["points"]["cosine"]) for one in found.values())) - 0.05
    with plt.rc_context(STYLE):
        shape = {
            "figsize": (min(WIDTH, 2.7 * columns + 0.3), 2.2 * rows + 0.3),
            "squeeze": False,
            "layout": "constrained",
        }
        figure, axes = plt.subplots(rows, columns, sharey=True, **shape)
        for axis, (name, one) in zip(axes.flat, found.items(), strict=False):
            points = one.described["points"]
            axis.scatter(points["frequency"], points["cosine"], s=6, color=BLUE, alpha=0.4, linewidths=0)
            axis.axhline(0, color="0.7", linewidth=0.8)
            axis.set(xscale="log", ylim=(low, 1))
            axis.set_title(f"{name}\nSpearman {one.tie.value:+.2f}")
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        figure.supxlabel("occurrences of the word or token in the corpus", fontsize=9)
        figure.supylabel("cosine to the mean direction", fontsize=9)
    return closed(figure)


def over_depth(mu: pd.DataFrame, rank: pd.DataFrame) -> Figure:
    """Mean cosine and effective rank over the entries of the residual stream, one line a cure."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.2), layout="constrained")
        for axis, table, label in zip(axes, (mu, rank), ("mean cosine μ, other texts", "effective rank"), strict=True):
            for cure, colour in zip(CURES, colours(len(CURES), "colorblind"), strict=True):
                axis.plot(table.index, table[cure], marker=".", linewidth=1, color=colour, label=cure)
            axis.set(xlabel="entry of the residual stream", ylabel=label)
        axes[0].axhline(0, color="0.7", linewidth=0.8)
        axes[1].set_ylim(bottom=0)
        legend_below(figure)
    return closed(figure)
