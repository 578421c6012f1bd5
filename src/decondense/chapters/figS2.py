"""Fig. S2: is the order of the models by rho the same on every text?"""

from collections.abc import Mapping, Sequence

import pandas as pd

from .. import paper
from ..condensation import Condensation
from ..paper.claims import Claim
from ..paper.trends import published_trend, size_claims
from ..paper.verdicts import same_order

DATASETS = ("wikitext-103", "pubmed_qa", "imdb", "squad")  # of the figure
ByText = Mapping[str, Sequence[Condensation]]  # for each text the same models, in the order of size


def rho(by_text: ByText) -> pd.DataFrame:
    """rho of each model (rows) on each text (columns)."""
    return pd.DataFrame({text: {r.name: r.rho for r in results} for text, results in by_text.items()})


def published() -> pd.DataFrame:
    """Published rho of the GPT-2 family: one row a model in the order of size, one column a data set."""
    trends = {dataset: paper.trend("FigS2", "spearman", "GPT2", dataset).set_index("model") for dataset in DATASETS}
    return pd.DataFrame({dataset: trend["value"] for dataset, trend in trends.items()})


def with_spread(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `spread`: the largest value of a row minus its smallest."""
    return table.assign(spread=table.max(axis=1) - table.min(axis=1))


def claims(by_text: ByText) -> list[Claim]:
    """The strict reading (one order on every text), then the paper's, text by text: the larger, the lower.

    A text that is none of the figure's is put beside wikitext-103.
    """
    found = [order_claim(by_text)]
    for text, results in by_text.items():
        there = published_trend("FigS2", "GPT2", text if text in DATASETS else DATASETS[0])
        found += size_claims(f"{results[0].name} to {results[-1].name} on {text}", results, "Fig. S2", there)
    return found


def order_claim(by_text: ByText) -> Claim:
    """The claim that the order of the sizes by rho is the same on every two texts."""
    there, here = (same_order(table.to_dict("list")) for table in (published(), rho(by_text)))
    return Claim(
        claim="strict reading: the order of the sizes by ρ is the same on every text",
        source="Fig. S2",
        published=f"{there.why} (by this rule: {there.word})",
        here=f"{len(next(iter(by_text.values()), []))} sizes, {len(by_text)} texts",
        rule="tau-b 1; partly from 0.5",
        verdict=here,
    )
