"""Fig. S3: simpler numbers than a rank correlation, and whether they show the trend over sizes as clearly."""

from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import metrics, models, stats
from ..condensation import Condensation
from ..pairing import paired_differences
from ..paper import family, mean_cosines
from ..paper.claims import Claim, chain, judged
from ..paper.trends import METRICS, READ_OFF, Statistic, published_means
from ..paper.verdicts import effect, not_testable
from ..plots import STYLE, WIDTH, closed, colours, label_ends
from ..runs.run import Run
from ..stats import mean_and_interval
from ..surveys.quantisation import Control

SPANS = {"last 1": 1, "last 2": 2, "last 3": 3, "last 4": 4, "last 5": 5, "last half": None}  # `metrics.mean_of_last`
COUNTED = "last half"  # the other spans read the same trend again
STEPS = 3  # from GPT2 to GPT2-xl in the paper's figures
Families = Mapping[str, Sequence[Condensation]]  # each in the order of size
STATISTICS: dict[str, Statistic] = {
    label: partial(metrics.mean_of_last, entries=entries) for label, entries in SPANS.items()
}


def means(results: Sequence[Condensation]) -> pd.DataFrame:
    """Mean of mu over the last entries: one row for each of `SPANS`, one column per model."""
    return pd.DataFrame({result.name: _means(result.mu) for result in results})


def trained_means(runs: Sequence[Run]) -> pd.DataFrame:
    """The same of the sizes trained here on their own corpus, means over the seeds; spans that fit (`fitting`)."""
    spans = fitting(runs[0].look())
    table = family.measured(runs, family.texts(runs)[0], spans)
    return table.groupby("label", sort=False)[list(spans)].mean().T


def published() -> pd.DataFrame:
    """The same from the mean cosines read off Fig. 2a: one row per model, one column for each of `SPANS`."""
    rows = {model: _means(mean_cosines("Fig2a", model).cosine_mean.to_numpy()) for model in READ_OFF}
    return pd.DataFrame.from_dict(rows, orient="index")


def _means(mu: np.ndarray) -> dict[str, float]:
    return {label: float(statistic(mu)) for label, statistic in STATISTICS.items()}


def fitting(*results: Condensation) -> dict[str, Statistic]:
    """Those of `STATISTICS` whose span does not reach the embedding output of the shallowest model."""
    entries = min(len(result.mu) for result in results)
    return {label: STATISTICS[label] for label, span in SPANS.items() if span is None or span < entries}


def in_standard_errors(runs: Sequence[Run]) -> pd.DataFrame:
    """How far each number stands out from the seeds: largest minus smallest, its standard error, and their ratio.

    One row each for rho, tau and the simple means.
    """
    statistics = {symbol: statistic for symbol, _, statistic in METRICS.values()} | fitting(runs[0].look())
    rows = {}
    for name, values in family.falls(runs, family.texts(runs)[0], statistics).items():
        found = mean_and_interval(values)
        error = stats.standard_error(found)
        rows[name] = [found.value, error, found.value / error if error else np.nan]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["largest - smallest", "standard error", "ratio"])


def moved_by_precision(control: Control, bits: Sequence[int]) -> dict[str, float]:
    """For each of `SPANS` the largest |change| that rounding the weights to one of `bits` may make, over its interval.

    Over all models of the control; each is compared with itself as loaded, on the same texts.
    """
    pairs = [
        (of[None].condensation, of[width].condensation) for of in control.values() for width in bits if width in of
    ]
    changes = {
        label: [paired_differences(pair, statistic)[0] for pair in pairs] for label, statistic in STATISTICS.items()
    }
    return {label: float(max(np.abs(one.interval).max() for one in found)) for label, found in changes.items()}


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(runs: Sequence[Run], families: Families, systematic: Mapping[str, float] | None = None) -> list[Claim]:
    """The larger the model, the lower each mean, of the models trained here and of each family of two sizes or more.

    systematic
        For each of `SPANS`, how far the precision of the weights may have moved the families' differences.
    """
    found = [
        family.size_claim(runs, label, statistic, "Fig. S3", f"the mean of μ, {label}", _repeats("trained here", label))
        for label, statistic in fitting(runs[0].look()).items()
    ]
    for name, members in families.items():
        if len(members) > 1:
            found += [_size_claim(name, members, label, systematic) for label in fitting(*members)]
    return judged([*found, clearness_claim()])


def _repeats(who: str, label: str) -> str:
    return "" if label == COUNTED else f"{who}: {COUNTED}"


def _size_claim(
    name: str, members: Sequence[Condensation], label: str, systematic: Mapping[str, float] | None
) -> Claim:
    end, steps = paired_differences(members, STATISTICS[label])
    small, large = published_means(STATISTICS[label])
    often = f", times {len(steps)}" if len(steps) > 1 else ""
    reason = f"published, the mean step from {READ_OFF[0]} to {READ_OFF[1]} (means read off Fig. 2a){often}"
    end = end._replace(systematic=systematic[label] if systematic else 0.0)
    return Claim(
        claim=f"{name}: the larger the model, the lower the mean of μ, {label}",
        source="Fig. S3",
        published=f"{READ_OFF[0]} {small:.2f} → {READ_OFF[1]} {large:.2f} (Fig. 2a)",
        here=chain(*zip(*(r.mean_of_last(SPANS[label]) for r in members), strict=True)),
        verdict=[effect(end, (large - small) / STEPS * len(steps), reason)],
        repeats=_repeats(name, label),
    )


def clearness_claim() -> Claim:
    """That the simple means show the trend less clearly: the paper gives no measure of it."""
    return Claim(
        claim="less clear: the simple means show the trend less clearly than ρ",
        source="Fig. S3",
        published="stated, without a measure",
        here="the table above, without a verdict",
        verdict=not_testable(
            "the paper says of no number how clear it is, so no smallest effect can be fixed; and the ratio of an "
            "effect to its spread is known from a few seeds to a third at best"
        ),
    )


# --- figure -----------------------------------------------------------------------------------------------------------


def over_spans(pretrained: Sequence[Condensation], runs: Sequence[Run]) -> Figure:
    """Each simple mean of every model, a line a model named at its end: published (grey), pretrained, trained here."""
    here = means(pretrained).rename(columns=models.shown)
    trained = trained_means(runs).add_prefix("trained here, ").reindex(list(SPANS))
    ink = dict(zip(here, colours(len(here.columns), "colorblind"), strict=True))
    ink |= dict(zip(trained, colours(len(trained.columns)), strict=True))
    there = published().T.add_prefix("published, ")
    table = pd.concat([there, here, trained], axis=1)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 4.2), layout="constrained")
        at = np.arange(len(table))
        for name, values in table.items():
            axis.plot(at, values, "o-", color=ink.get(name, "0.5"), markersize=4, linewidth=1.2)
        axis.set(xlabel="entries in the mean", ylabel="mean of μ", xlim=(-0.2, len(table) - 0.8), ylim=(0, 1))
        axis.set_xticks(at, table.index)
        label_ends(axis, [(table[name].iloc[-1], name, ink.get(name, "0.35")) for name in table], float(at[-1]))
    return closed(figure)
