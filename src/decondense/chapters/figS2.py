"""Fig. S2: is the trend over size the same on every text?"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import models, paper, stats
from ..condensation import Condensation
from ..pairing import paired_differences
from ..paper import family
from ..paper.claims import Claim, judged, number
from ..paper.trends import METRICS, REPEATS, metric_of, paper_name, published_fall, smallest_fall
from ..paper.verdicts import effect, no_change
from ..plots import BLUE, GREY, STYLE, WIDTH, closed, colours, legend_below
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
    """Published rho of the GPT-2 family: one row per model in the order of size, one column per data set."""
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


# --- figures ----------------------------------------------------------------------------------------------------------


def over_models(runs: Sequence[Run], by_text: ByText) -> Figure:
    """Spearman's rho of every model on every text: the published models, those trained here, the pretrained ones.

    A sign a text, grey where published. Sizes of one family are joined. Bars: lowest to highest of the seeds of models
    trained here, 95 % interval over the texts of pretrained ones.
    """
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 3.9), layout="constrained")
        axis.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        texts = list(dict.fromkeys([*family.texts(runs), *by_text]))
        ink = dict(zip(texts, colours(len(texts), "colorblind"), strict=True))
        groups = [_published_group(axis), _trained_group(axis, runs, ink, len(published()) + GAP)]
        groups.append(_pretrained_group(axis, by_text, ink, groups[-1][2][-1] + 1 + GAP))
        _name_groups(axis, [group for group in groups if group[1]])
        axis.set(ylim=(-1.08, 1.25), ylabel="Spearman ρ of μ with depth")
        legend_below(figure)
    return closed(figure)


GAP = 0.7  # between groups of models, where neighbours are 1 apart
Group = tuple[str, list[str], list[float]]  # its heading, the names of its models, where they stand


def _published_group(axis: Axes) -> Group:
    table = published()
    at = np.arange(len(table), dtype=float)
    for (dataset, values), marker, shade in zip(table.items(), "os^v", ("0.3", "0.42", "0.54", "0.66"), strict=True):
        how = {"color": shade, "markersize": 4, "linewidth": 1, "label": f"published, {dataset}"}
        axis.plot(at, values, f"{marker}-", **how)
    return "published", list(table.index), at.tolist()


def _trained_group(axis: Axes, runs: Sequence[Run], ink: Mapping[str, tuple], start: float) -> Group:
    symbol = METRICS["rho"][0]
    for place, text in enumerate(family.texts(runs)):
        values = family.measured(runs, text).groupby("label", sort=False)[symbol].agg(["mean", "min", "max"])
        at = start + np.arange(len(values)) + _aside(place, len(ink))
        axis.vlines(at, values["min"], values["max"], color=ink[text], linewidth=2, alpha=0.35)
        axis.plot(at, values["mean"], "D-", color=ink[text], markersize=4.5, linewidth=1, label=f"here, {text}")
    return "trained here", list(values.index), (start + np.arange(len(values))).tolist()


def _pretrained_group(axis: Axes, by_text: ByText, ink: Mapping[str, tuple], start: float) -> Group:
    names = [result.name for result in next(iter(by_text.values()))]
    at = dict(zip(names, start + np.arange(len(names)), strict=True))
    for text, results in by_text.items():
        for members in _in_families(results):
            x = np.array([at[one.name] for one in members]) + _aside(list(ink).index(text), len(ink))
            axis.vlines(x, *zip(*(one.rho_interval for one in members), strict=True), color=ink[text], alpha=0.35)
            axis.plot(x, [one.rho for one in members], "D-", color=ink[text], markersize=4.5, label=f"here, {text}")
    return "pretrained", [models.shown(name) for name in names], list(at.values())


def _in_families(results: Sequence[Condensation]) -> list[list[Condensation]]:
    found: dict[str, list[Condensation]] = {}
    for result in results:
        found.setdefault(family_of(result.name), []).append(result)
    return list(found.values())


def _aside(place: int, of: int) -> float:
    """Signs of one model side by side, so that none hides another."""
    return 0.14 * (place - (of - 1) / 2)


def _name_groups(axis: Axes, groups: Sequence[Group]) -> None:
    places, names = [x for *_, at in groups for x in at], [name for _, names, _ in groups for name in names]
    axis.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    for heading, _, at in groups:
        axis.text(np.mean(at), 1.2, heading, ha="center", va="top")
    for (_, _, before), (_, _, after) in pairwise(groups):
        axis.axvline((before[-1] + after[0]) / 2, color="0.85", linewidth=0.8)


def changes(table: pd.DataFrame) -> Figure:
    """`trends` with a row per text and a panel per number: largest minus smallest, beside the published (grey)."""
    texts, symbols = (list(dict.fromkeys(table.index.get_level_values(level))) for level in (0, 1))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(symbols), figsize=(WIDTH, 0.35 * len(texts) + 1.3), layout="constrained", sharey=True, squeeze=False
        )
        at = np.arange(len(texts))[::-1]
        for axis, symbol in zip(axes.flat, symbols, strict=True):
            rows = table.xs(symbol, level=1).loc[texts]
            axis.axvline(0, color="0.85", linewidth=0.8, zorder=0)
            axis.hlines(at, rows["low"], rows["high"], color=BLUE, linewidth=2, alpha=0.5)
            axis.plot(rows["published"], at, "o", color=GREY, markersize=5, label="published, GPT2-xl minus GPT2")
            here = "here, widest minus narrowest, 95 % interval over the seeds"
            axis.plot(rows["difference"], at, "D", color=BLUE, markersize=5, label=here)
            axis.set(title=f"change of {symbol}")
            axis.margins(x=0.12)
        axes.flat[0].set_yticks(at, texts)
        axes.flat[0].set_ylim(-0.6, len(texts) - 0.4)
        legend_below(figure)
    return closed(figure)
