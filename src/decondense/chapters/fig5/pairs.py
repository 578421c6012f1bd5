"""Models of Fig. 5 before and after they were distilled: as published, and as measured here."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from ... import paper
from ...condensation import Condensation
from ...paper.trends import METRICS


class Pair(NamedTuple):
    """A model of Fig. 5 before and after it was distilled: our short names, and the figure's."""

    size: str
    plain: str
    distilled: str
    published_plain: str
    published_distilled: str


PAIRS = [
    Pair(size, plain.lower(), f"deepseek-r1-distill-qwen-{size.lower()}", plain, f"DeepSeek-R1-Distill-{plain}")
    for size, plain in {
        "1.5B": "Qwen2.5-Math-1.5B",
        "7B": "Qwen2.5-Math-7B",
        "14B": "Qwen2.5-14B",
        "32B": "Qwen2.5-32B",
    }.items()
]


def published() -> pd.DataFrame:
    """Fig. 5b as numbers, a row a size and metric: not distilled, distilled, their difference, and `error`, its bound.

    The error is that of reading two points off the figure; the paper gives no uncertainty over texts.
    """
    rows = []
    for symbol, metric, _ in METRICS.values():
        points = paper.trend("Fig5", metric, "Qwen2.5 distillation").set_index("model")
        for pair in PAIRS:
            before, after = points.loc[pair.published_plain], points.loc[pair.published_distilled]
            difference, error = after.value - before.value, after.error + before.error
            rows.append((symbol, pair.size, before.value, after.value, difference, error))
    return pd.DataFrame(rows, columns=["metric", "size", "not distilled", "distilled", "difference", "error"])


def measured(results: Sequence[Condensation]) -> dict[str, list[Condensation]]:
    """The pairs of which both models were measured: {size: [not distilled, distilled]}."""
    found = {result.name: result for result in results}
    return {p.size: [found[p.plain], found[p.distilled]] for p in PAIRS if {p.plain, p.distilled} <= set(found)}
