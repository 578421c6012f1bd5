"""Consistency of the published figures: values shown twice, heat maps against their own trends, falls with size.

Values of figures carry the error of reading them off; two values agree when their intervals meet.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import combine_pvalues

from ... import paper, stats
from ...paper.rounding import CONSISTENT, outcome
from ...paper.trends import PAPER_FAMILIES
from ...stats import Interval
from .permutation import monotone_permutation_p

APART = "not consistent within the errors of reading"


class Trend(NamedTuple):
    """The range of rank correlations with depth that values within their errors allow (outer bounds)."""

    rho: Interval
    tau: Interval


def shared_points() -> pd.DataFrame:
    """rho and tau that two figures show of the same model on the same text: both values, gap, errors, outcome."""
    points = paper.table("figure_points")
    twice = points.merge(points, on=["model", "dataset", "metric"], suffixes=("_a", "_b"))
    twice = twice[twice.figure_a < twice.figure_b].reset_index(drop=True)
    found = twice[["figure_a", "figure_b", "model", "metric", "value_a", "value_b"]].copy()
    found["gap"] = (twice.value_a - twice.value_b).abs()
    found["allowed"] = twice.error_a + twice.error_b
    return found.assign(outcome=np.where(found.gap <= found.allowed, CONSISTENT, APART))


def shared_heatmaps() -> pd.DataFrame:
    """The mean cosines of the heat maps that Fig. 2a and S2a both show: entries, largest gap, outcome."""
    rows = {}
    for model in ("GPT2", "GPT2-xl"):
        a, b = (paper.mean_cosines(figure, model) for figure in ("Fig2a", "FigS2a"))
        gap, allowed = (a.cosine_mean - b.cosine_mean).abs(), a.error + b.error
        agree = CONSISTENT if (gap <= allowed).all() else APART
        rows[model] = {
            "entries": len(a),
            "largest gap": gap.max(),
            "gap / error": (gap / allowed).max(),
            "outcome": agree,
        }
    return pd.DataFrame(rows).T


def shared_modes() -> pd.DataFrame:
    """The modes of the cosine in the heat maps that Fig. 2a and S2a both show: entries, agreeing, largest gap."""
    modes = paper.table("figure_heatmap_modes")
    a, b = (modes[modes.figure == figure] for figure in ("Fig2a", "FigS2a"))
    both = a.merge(b, on=["model", "layer_index"], suffixes=("_a", "_b")).set_index("model")
    gap, allowed = (both.cosine_mode_a - both.cosine_mode_b).abs(), both.error_a + both.error_b
    found = pd.DataFrame({"gap": gap, "agree": gap <= allowed + 1e-9}).groupby(level="model", sort=False)
    return pd.DataFrame({"entries": found.size(), "agreeing": found.agree.sum(), "largest gap": found.gap.max()})


def trend_bounds(low: Float[np.ndarray, "entries"], high: Float[np.ndarray, "entries"]) -> Trend:
    """Bounds of Spearman's rho and Kendall's tau with depth over all values in [low, high], entry by entry.

    A pair of entries whose intervals meet can have either order. Both correlations are sums over pairs, for
    r_i = 1 + (entries below i):

        tau = 2 (up - down) / (n (n - 1)),  rho = 12 sum i r_i / (n (n^2 - 1)) - 3 (n + 1) / (n - 1)

    Each pair is taken at its better (or worse) order, so the bounds may be a little too wide, never too narrow.
    """
    n, place = len(low), np.arange(1, len(low) + 1)
    surely_above = low[:, None] > high[None, :]
    free = ~surely_above & ~surely_above.T
    later = place[:, None] > place[None, :]
    bounds = []
    for favoured in (later.T, later):  # free pairs: the earlier one above, then the later one
        above = surely_above | (free & favoured)
        up, down = (above & later).sum(), (above & later.T).sum()
        ranks = 1 + above.sum(1)
        rho = 12 * (place * ranks).sum() / (n * (n**2 - 1)) - 3 * (n + 1) / (n - 1)
        bounds.append((float(rho), float(2 * (up - down) / (n * (n - 1)))))
    return Trend(*(Interval(*pair) for pair in zip(*bounds, strict=True)))


def heatmap_trends() -> pd.DataFrame:
    """Do the means of a heat map give the correlation printed beside it? By (model, metric), with both intervals."""
    points, rows = paper.table("figure_points"), []
    # One row a name, which the whole table has not: pandas 2 gives a frame where a name might have several.
    points = points[points.figure.isin(["Fig2", "Fig3"])].set_index(["figure", "model", "metric"])
    for figure, models in {"Fig2": ("GPT2", "GPT2-xl"), "Fig3": ("MLP64", "MLP256", "MLP1024", "MLP4096")}.items():
        for model in models:
            means = paper.mean_cosines(f"{figure}a", model)
            low, high = ((means.cosine_mean + side * means.error).to_numpy(float) for side in (-1, 1))
            for metric, span in zip(("spearman", "kendall"), trend_bounds(low, high), strict=True):
                point = points.loc[(figure, model, metric)]
                there = Interval(point.value - point.error, point.value + point.error)
                agree = CONSISTENT if outcome(span, there) == CONSISTENT else APART
                row = {"figure": figure, "model": model, "metric": metric, "value": point.value, "error": point.error}
                rows.append(row | {"low": span.low, "high": span.high, "outcome": agree})
    return pd.DataFrame(rows)


FALLING = (  # figure, family, text
    *(("Fig2", family, "wikitext-103") for family in PAPER_FAMILIES),
    ("Fig3", "GPT2-like (controlled)", "wikitext-103"),
    ("Fig4", "Olmo-3-1025-7B", "wikitext-103"),
    *(("FigS2", "GPT2", text) for text in ("wikitext-103", "pubmed_qa", "imdb", "squad")),
)

AGAIN = ("FigS2", "GPT2", "wikitext-103")  # the same four models on the same text as in Fig. 2b


def falls() -> pd.DataFrame:
    """Does rho or tau fall along a series of sizes, widths, or checkpoints? The exact permutation test of each.

    p: share of all orderings that fall at least as strongly. low, high: its range when values whose reading errors
    overlap with another's lie at either end of them. rises: steps up.
    least: the smallest p that a series of this length can give. holm: of the larger of the two `high` of a series,
    over the series that are different; NaN for one that is shown `again` (GPT2 on wikitext-103 in Fig. S2).
    """
    rows = []
    for figure, family, text in FALLING:
        for metric in ("spearman", "kendall"):
            points = paper.trend(figure, metric, family, text)
            values, errors = points.value.to_numpy(), points.error.to_numpy()
            ends = [monotone_permutation_p(corner) for corner in _corners(values, errors)]
            rows.append(
                {
                    "figure": figure,
                    "family": family,
                    "text": text,
                    "metric": metric,
                    "n": len(values),
                    "rises": int((np.diff(values) > 0).sum()),
                    "p": monotone_permutation_p(values),
                    "low": min(ends),
                    "high": max(ends),
                    "least": monotone_permutation_p(-np.arange(len(values))),
                    "falls": bool(values[-1] < values[0]),
                }
            )
    found = pd.DataFrame(rows)
    series = ["figure", "family", "text"]
    worst = found.groupby(series, sort=False).high.max().rename("holm")
    different = worst.drop(AGAIN)
    worst = pd.Series(stats.holm(different), different.index, name="holm").reindex(worst.index)
    return found.join(worst, on=series)


def _corners(values: np.ndarray, errors: np.ndarray) -> list[np.ndarray]:
    """The values moved to the ends of their errors, where they overlap with another; in all combinations."""
    apart = np.abs(values[:, None] - values[None, :]) - errors[:, None] - errors[None, :]
    np.fill_diagonal(apart, np.inf)
    free = np.flatnonzero(apart.min(1) <= 0)
    corners = []
    for signs in product((-1, 1), repeat=len(free)):
        moved = values.copy()
        moved[free] += np.array(signs) * errors[free]
        corners.append(moved)
    return corners


def families_together(metric: str) -> float:
    """Fisher's combination of the permutation p-values of the four families of Fig. 2b, taken as independent.

    Few orderings make these p-values coarse, which makes the combination too large rather than too small.
    """
    found = falls()
    chosen = found[(found.figure == "Fig2") & (found.metric == metric)]
    return float(combine_pvalues(chosen.p, method="fisher").pvalue)
