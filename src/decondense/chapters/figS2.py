"""Fig. S2: is the trend over size the same on every text?"""

from collections.abc import Mapping, Sequence

import pandas as pd

from .. import paper, stats
from ..condensation import Condensation
from ..pairing import paired_differences
from ..paper import family
from ..paper.claims import Claim, judged, number
from ..paper.trends import METRICS, REPEATS, metric_of, paper_name, published_fall, smallest_fall
from ..paper.verdicts import effect, no_change
from ..runs.run import Run
from ..stats import Estimate, mean_and_interval
from ..surveys import family as family_of

DATASETS = ("wikitext-103", "pubmed_qa", "imdb", "squad")  # of the figure
ByText = Mapping[str, Sequence[Condensation]]  # for each text the same models, in the order of size
Trends = Mapping[str, Estimate]  # for each text the largest minus the smallest


# --- tables -----------------------------------------------------------------------------------------------------------


def rho(by_text: ByText) -> pd.DataFrame:
    """rho of each model (rows) on each text (columns)."""
    return pd.DataFrame({text: {r.name: r.rho for r in results} for text, results in by_text.items()})


def trained_rho(runs: Sequence[Run]) -> pd.DataFrame:
    """rho of each size trained here (rows) on each text (columns), means over the seeds."""
    symbol = METRICS["rho"][0]
    tables = {text: family.measured(runs, text) for text in family.texts(runs)}
    return pd.DataFrame({text: table.groupby("label", sort=False)[symbol].mean() for text, table in tables.items()})


def published() -> pd.DataFrame:
    """Published rho of the GPT-2 family: one row a model in the order of size, one column a data set."""
    trends = {dataset: paper.trend("FigS2", "spearman", "GPT2", dataset).set_index("model") for dataset in DATASETS}
    return pd.DataFrame({dataset: trend["value"] for dataset, trend in trends.items()})


def with_spread(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `spread`: the largest value of a row minus its smallest."""
    return table.assign(spread=table.max(axis=1) - table.min(axis=1))


def trends(runs: Sequence[Run]) -> pd.DataFrame:
    """`family.trends` on each text, one below the other, with the published fall on that data set or wikitext-103."""
    tables = {text: family.trends(runs, text) for text in family.texts(runs)}
    for text, table in tables.items():
        for name, (symbol, _, _) in METRICS.items():
            table.loc[symbol, "published"] = published_fall("Fig. S2", name, "GPT2", _dataset(text))
    return pd.concat(tables)


def _dataset(text: str) -> str:
    return text if text in DATASETS else DATASETS[0]


def families(by_text: ByText) -> dict[str, ByText]:
    """The families of which there are two sizes or more, each on every text."""
    found: dict[str, dict[str, list[Condensation]]] = {}
    for text, results in by_text.items():
        for result in results:
            found.setdefault(family_of(result.name), {}).setdefault(text, []).append(result)
    return {name: members for name, members in found.items() if min(map(len, members.values())) > 1}


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(runs: Sequence[Run], by_text: ByText) -> list[Claim]:
    """On every text the larger model has the lower number; and on the other texts the trend is that on the first.

    Of the models trained here, over seeds; and of each family of `by_text` with two sizes or more, over texts. A text
    that is none of the figure's is put beside wikitext-103.
    """
    found = _trained(runs)
    for name, members in families(by_text).items():
        found += _pretrained(name, members)
    return judged(found)


def _trained(runs: Sequence[Run]) -> list[Claim]:
    own, *others = family.texts(runs)
    by_seed = {text: family.falls(runs, text) for text in [own, *others]}
    found = []
    for symbol, statistic in family.STATISTICS.items():
        falls = {text: mean_and_interval(table[symbol]) for text, table in by_seed.items()}
        metric = metric_of(symbol)
        counts = {text: _published(metric, text) if metric else family.smallest(symbol, statistic) for text in falls}
        found.append(_falls_claim("trained here", symbol, falls, counts))
        if metric:
            apart = {text: mean_and_interval(by_seed[text][symbol] - by_seed[own][symbol]) for text in others}
            found.append(_same_claim("trained here", symbol, apart, metric, own))
    return found


def _pretrained(name: str, members: ByText) -> list[Claim]:
    own, *others = members
    ends = [paper_name(members[own][end].name) for end in (0, -1)]
    found = []
    for metric, (symbol, _, statistic) in METRICS.items():
        falls = {text: paired_differences(results, statistic)[0] for text, results in members.items()}
        steps = len(members[own]) - 1
        counts = {t: smallest_fall(metric, "Fig. S2", "GPT2", _dataset(t), *ends, steps) for t in falls}
        found.append(_falls_claim(name, symbol, falls, counts))
        if others:
            apart = {text: stats.apart(falls[text], falls[own]) for text in others}
            found.append(_same_claim(name, symbol, apart, metric, own))
    return found


def _published(metric: str, text: str) -> tuple[float, str]:
    return published_fall("Fig. S2", metric, "GPT2", _dataset(text)), f"{family.WHOLE_FALL} on {_dataset(text)}"


def _falls_claim(who: str, symbol: str, falls: Trends, counts: Mapping[str, tuple[float, str]]) -> Claim:
    there = dict.fromkeys(f"{reason}: {number(smallest)}" for smallest, reason in counts.values())
    return Claim(
        claim=f"{who}: on every text, the larger the model, the lower {symbol}",
        source="Fig. S2",
        published="; ".join(there),
        here=_said(falls),
        verdict=[effect(falls[text], *counts[text]) for text in falls],
        repeats=REPEATS.get(metric_of(symbol), ""),
    )


def _same_claim(who: str, symbol: str, apart: Trends, metric: str, own: str) -> Claim:
    margin, there = spread_of_falls(metric)
    return Claim(
        claim=f"{who}: size changes {symbol} on other texts as much as on {own}",
        source="Fig. S2",
        published=there,
        here=_said(apart),
        verdict=[no_change(one, margin, "spread of the published falls over four data sets") for one in apart.values()],
        repeats=REPEATS[metric],
    )


def spread_of_falls(metric: str) -> tuple[float, str]:
    """How far the published falls of GPT-2 on the data sets of the figure lie apart; and these falls as text."""
    falls = {dataset: published_fall("Fig. S2", metric, "GPT2", dataset) for dataset in DATASETS}
    return max(falls.values()) - min(falls.values()), "; ".join(f"{d} {fall:+.2f}" for d, fall in falls.items())


def _said(found: Trends) -> str:
    return "; ".join(f"{text} {number(one.value, one.interval)}" for text, one in found.items())
