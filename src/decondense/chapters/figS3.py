"""Fig. S3: simpler numbers than a rank correlation, and whether they show the trend over sizes as clearly."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from .. import metrics
from ..condensation import Condensation
from ..pairing import paired_differences
from ..paper.trends import METRICS


def steps(families: dict[str, Sequence[Condensation]], spans: dict[str, int | None]) -> pd.DataFrame:
    """How many steps from one size to the next fall, rise, or stay within the uncertainty: rho, tau, simple means.

    `spans` gives the simple metrics as in `metrics.mean_of_last`. One row a metric, summed over the families; a family
    whose smallest model has no more entries than a span is left out there (`fits`).
    """
    statistics = {symbol: statistic for symbol, _, statistic in METRICS.values()}
    statistics |= {label: partial(metrics.mean_of_last, entries=entries) for label, entries in spans.items()}
    rows = {}
    for label, statistic in statistics.items():
        shown = [members for members in families.values() if fits(members, spans.get(label))]
        found = [step for members in shown for step in paired_differences(members, statistic)[1]]
        falls, rises = sum(high < 0 for _, high in found), sum(low > 0 for low, _ in found)
        rows[label] = {"falls": falls, "rises": rises, "within the uncertainty": len(found) - falls - rises}
    return pd.DataFrame(rows).T


def fits(results: Sequence[Condensation], entries: int | None) -> bool:
    """Whether the last `entries` entries leave out the embedding output in every model; always for `None` (half)."""
    return entries is None or all(entries < len(r.mu) for r in results)
