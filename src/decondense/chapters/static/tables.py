"""From the records of the page to estimates with intervals, and the tables that it shows."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...stats import Estimate, mean_and_interval
from .rows import CURES as FITS
from .rows import categories

CURES = tuple(FITS)  # "none" first


class Embedding(NamedTuple):
    """One embedding: mean cosine and gain of neighbours by cure, and the tie to frequency, with intervals.

    `cosine` and `tie` are over disjoint groups of rows, `gain` (in the share of neighbours of a word's own category,
    against no cure) over the categories: the words of one are each other's neighbours, and no units of their own.
    """

    cosine: dict[str, Estimate]
    tie: Estimate
    gain: dict[str, Estimate]
    described: dict


class Entries(NamedTuple):
    """A model under the cures: at its middle entry, over windows of text; and mean `mu` and `rank` by entry and cure.

    `middle_rank_gain` is relative: 0.1 is a tenth more. The losses are differences in nats: to the model as it is, and
    to the model with a random vector as long as the mean.
    """

    middle_mu: dict[str, Estimate]
    middle_rank_gain: dict[str, Estimate]
    loss_without_mean: Estimate
    loss_beyond_random: Estimate
    mu: pd.DataFrame
    rank: pd.DataFrame
    loss: pd.DataFrame


def embedding(described: dict) -> Embedding:
    """The estimates of what `rows.describe` gives."""
    precision = pd.DataFrame(described["precision"])
    of_word = categories().set_index("word").category
    by_category = precision.groupby(precision.index.map(of_word)).mean()
    groups = "groups of rows"
    return Embedding(
        {name: mean_and_interval(values, groups) for name, values in described["cosine"].items()},
        mean_and_interval(described["tie"], groups),
        {name: mean_and_interval(by_category[name] - by_category["none"], "categories") for name in CURES[1:]},
        described,
    )


def entries(results: dict) -> Entries:
    """The estimates of what `measurements.of_model` keeps."""
    table, loss = pd.DataFrame(results["entries"]), pd.DataFrame(results["losses"])
    middle = table[table.entry == results["middle"]].pivot(index="window", columns="cure")
    by_change = loss.pivot(index="window", columns="change", values="loss")
    taken = by_change["without the mean"]
    over = lambda values: mean_and_interval(values, "windows of text")
    mean = lambda column: table.pivot_table(column, index="entry", columns="cure")[list(CURES)]
    return Entries(
        {name: over(middle["mu"][name]) for name in CURES},
        {name: over(middle["rank"][name] / middle["rank"]["none"] - 1) for name in CURES},
        over(taken - by_change["as it is"]),
        over(taken - by_change["random vector"]),
        mean("mu"),
        mean("rank"),
        by_change[["as it is", "without the mean", "random vector"]],
    )


def summary(found: Mapping[str, Embedding]) -> pd.DataFrame:
    """One row an embedding and cure: rows, features, mean cosine, effective rank, neighbours of a word's category."""
    parts = {}
    for name, one in found.items():
        for cure in CURES:
            precision = one.described["precision"][cure]
            parts[name, cure] = {
                "rows": one.described["rows"], "features": one.described["features"],
                "mean cosine": one.cosine[cure].value, "effective rank": one.described["rank"][cure],
                "neighbours": np.mean(list(precision.values())), "by chance": one.described["chance"],
                "words": len(precision),
            }  # fmt: skip
    return pd.DataFrame(parts).T.astype({"rows": int, "features": int, "words": int}).rename_axis(["", "cure"])


def gains(found: Mapping[str, Embedding]) -> pd.DataFrame:
    """For `plots.differences`: gain of neighbours by embedding and cure, with the interval over the categories."""
    rows = {(name, cure): (e.value, *e.interval) for name, one in found.items() for cure, e in one.gain.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])
