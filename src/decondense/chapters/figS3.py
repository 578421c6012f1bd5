"""Fig. S3: simpler numbers than a rank correlation, and whether they show the trend over sizes as clearly."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from .. import metrics, paper
from ..condensation import Condensation
from ..pairing import paired_differences
from ..paper.claims import Claim, chain
from ..paper.trends import METRICS
from ..paper.verdicts import FALLS, all_below, falls_with_size

SPANS = {"last 1": 1, "last 2": 2, "last 3": 3, "last 4": 4, "last 5": 5, "last half": None}  # `metrics.mean_of_last`
READ_OFF = ("GPT2", "GPT2-xl")  # the models of Fig. 2a
Families = Mapping[str, Sequence[Condensation]]  # each in the order of size


def means(results: Sequence[Condensation]) -> pd.DataFrame:
    """Mean of mu over the last entries: one row for each of `SPANS`, one column a model."""
    return pd.DataFrame({result.name: _means(result.mu) for result in results})


def published() -> pd.DataFrame:
    """The same from the mean cosines read off Fig. 2a: one row a model, one column for each of `SPANS`."""
    rows = {model: _means(paper.mean_cosines("Fig2a", model).cosine_mean.to_numpy()) for model in READ_OFF}
    return pd.DataFrame.from_dict(rows, orient="index")


def _means(mu: np.ndarray) -> dict[str, float]:
    return {label: float(metrics.mean_of_last(mu, entries)) for label, entries in SPANS.items()}


def steps(families: Families) -> pd.DataFrame:
    """How many steps from one size to the next fall, rise, or stay within the uncertainty: rho, tau, simple means.

    One row a metric, summed over the families. A family whose smallest model has no more entries than a span is left
    out there (`fits`).
    """
    statistics = {symbol: statistic for symbol, _, statistic in METRICS.values()}
    statistics |= {label: partial(metrics.mean_of_last, entries=entries) for label, entries in SPANS.items()}
    rows = {}
    for label, statistic in statistics.items():
        shown = [members for members in families.values() if fits(members, SPANS.get(label))]
        found = [step for members in shown for step in paired_differences(members, statistic)[1]]
        falls, rises = sum(high < 0 for _, high in found), sum(low > 0 for low, _ in found)
        rows[label] = {"falls": falls, "rises": rises, "within the uncertainty": len(found) - falls - rises}
    return pd.DataFrame.from_dict(rows, orient="index")


def fits(results: Sequence[Condensation], entries: int | None) -> bool:
    """Whether the last `entries` entries leave out the embedding output in every model; always for `None` (half)."""
    return entries is None or all(entries < len(r.mu) for r in results)


def claims(families: Families) -> list[Claim]:
    """The larger the model, the lower each mean (families of two sizes or more); and the means are less clear."""
    found = [
        _size_claim(family, members, label)
        for family, members in families.items()
        for label, entries in SPANS.items()
        if len(members) > 1 and fits(members, entries)
    ]
    return [*found, clearness_claim(steps(families))]


def _size_claim(family: str, members: Sequence[Condensation], label: str) -> Claim:
    entries = SPANS[label]
    here = chain(*zip(*(r.mean_of_last(entries) for r in members), strict=True))
    end, differences = paired_differences(members, partial(metrics.mean_of_last, entries=entries))
    return Claim(
        claim=f"{family}: the larger the model, the lower the mean of μ, {label}",
        source="Fig. S3; values from Fig. 2a",
        published=" → ".join(f"{model} {value:.2f}" for model, value in published()[label].items()),
        here=here,
        rule=FALLS,
        verdict=falls_with_size(end, differences),
    )


def clearness_claim(table: pd.DataFrame) -> Claim:
    """The claim that fewer steps fall with each simple mean than with rho; `table` as from `steps`."""
    rank, simple = float(table.falls["Spearman ρ"]), table.falls[list(SPANS)].astype(float).tolist()
    return Claim(
        claim="less clear: fewer steps fall beyond the uncertainty than with ρ",
        source="Fig. S3",
        published="stated",
        here=f"ρ {rank:.0f}; simple metrics {', '.join(f'{falls:.0f}' for falls in simple)}",
        rule="fewer for each metric",
        verdict=all_below(simple, [rank - 1] * len(simple)),
    )
