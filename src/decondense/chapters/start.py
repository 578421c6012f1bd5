"""Start here: how many entries the paper's correlations count, and the two histograms of one measurement."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import metrics, paper, plots
from ..condensation import Condensation
from ..paper.claims import IN_PRINT, Claim, judged, numbers
from ..paper.trends import READ_OFF
from ..paper.verdicts import within

ENTRIES = {"all entries": slice(None), "without the first": slice(1, None), "without the last": slice(-1)}
TOLERANCE = 0.01  # two readings of two figures


def correlations() -> pd.DataFrame:
    """Does Fig. 2b follow from Fig. 2a? One row a metric and model: `published`, and one column for each of `ENTRIES`.

    The columns of `ENTRIES` hold the rank correlation with depth of the published mean cosines, over these entries.
    """
    rows = {}
    for metric, function in (("spearman", metrics.spearman), ("kendall", metrics.kendall)):
        published = paper.trend("Fig2", metric, "GPT2").set_index("model").value
        for model in READ_OFF:
            mu = paper.mean_cosines("Fig2a", model).cosine_mean.to_numpy()
            follows = {label: float(function(mu[part])) for label, part in ENTRIES.items()}
            rows[metric, model] = {"published": published[model], **follows}
    return pd.DataFrame.from_dict(rows, orient="index")


def claims() -> list[Claim]:
    """Spearman and Kendall: the published correlations are those over all L + 1 entries. It counts once."""
    found: list[Claim] = []
    for metric, table in correlations().groupby(level=0, sort=False):
        here = "; ".join(f"{label} {numbers(table[label].tolist())}" for label in ENTRIES)
        found.append(
            Claim(
                claim=f"{metric} follows from μ at all L + 1 entries ({', '.join(READ_OFF)})",
                kind=IN_PRINT,
                source="Fig. 2a, 2b",
                published=numbers(table.published.tolist()),
                here=here,
                rule=f"within {TOLERANCE:g}",
                verdict=within(table["all entries"].tolist(), table.published.tolist(), TOLERANCE),
                repeats=found[0].claim if found else "",
            )
        )
    return judged(found)


def histograms(pooled: Condensation, averaged: Condensation) -> Figure:
    """Heat maps of one model on the same texts with either histogram; their titles have its mean standard deviation.

    Raises
        ValueError: the mean cosines differ, so this is not one model on the same texts.
    """
    if not np.allclose(averaged.mu, pooled.mu, atol=1e-6):
        raise ValueError("The two histograms are of other models or texts: measure one model twice on the same texts.")
    widths = [metrics.histogram_std(result.histogram).mean() for result in (pooled, averaged)]
    return plots.heatmaps([pooled, averaged], [f"pooled, σ {widths[0]:.3f}", f"averaged, σ {widths[1]:.3f}"])


def over_entries(mu: Sequence[float]) -> Figure:
    """mu over the entries of the residual stream, as `plots.dragged` draws it for a reader to drag."""
    figure = plots.curves({"toy": pd.Series(mu)}, "entry of the residual stream", "mean cosine μ", marker="o")
    figure.axes[0].set_ylim(0, 1)
    return figure
