"""What a training run does to the geometry, from its checkpoints: runs made here, and those of Olmo-3.

The `path` of a run (`runs.run.Run`) has one row a checkpoint. The first is the model before the first step.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import paper
from ...condensation import Condensation
from ...paper import verdicts
from ...paper.claims import Claim, number, numbers
from ...paper.trends import METRICS
from ...plots import BLUE, RED, STYLE, closed, colours
from ...runs import tables
from ...runs.run import Run
from ...stats import Interval, mean_and_interval

# Checkpoint in Fig. 4 -> revision on the hub. The names of stage 1 are those of the hub's branches as far as known;
# all are to be confirmed when the hub can be reached, those of stages 2 and 3 above all.
REVISIONS = {
    "S1-0": "stage1-step0", "S1-353k": "stage1-step353000", "S1-705k": "stage1-step705000",
    "S1-1059k": "stage1-step1059000", "S2-1k": "stage2-ingredient1-step1000", "S2-13k": "stage2-ingredient1-step13000",
    "S2-25k": "stage2-ingredient1-step25000", "S2-37k": "stage2-ingredient1-step37000", "S3-1k": "stage3-step1000",
    "S3-4k": "stage3-step4000", "S3-7k": "stage3-step7000", "S3-10k": "stage3-step10000", "Main": "main",
}  # fmt: skip


def labels(runs: Sequence[Run]) -> list[str]:
    """The labels of the runs, each once, in order."""
    return list(dict.fromkeys(run.label for run in runs))


def band(runs: Sequence[Run], label: str, column: str) -> pd.DataFrame:
    """Mean, lowest and highest over the seeds of one column of `path`: one row a checkpoint, with its tokens.

    Raises
        ValueError: the runs of this label have different checkpoints.
    """
    paths = [run.path for run in runs if run.label == label]
    if any(list(path.tokens) != list(paths[0].tokens) for path in paths):
        raise ValueError(f"The runs {label!r} have different checkpoints: give runs of one configuration.")
    values = pd.concat([path[column] for path in paths], axis=1)
    found = {"mean": values.mean(axis=1), "low": values.min(axis=1), "high": values.max(axis=1)}
    return pd.DataFrame({"tokens": paths[0].tokens, **found})


def ends(runs: Sequence[Run]) -> pd.DataFrame:
    """First and last checkpoint, and the lowest value between: one row a label and quantity, means over the seeds.

    `start at 1`: how many runs have a start whose interval reaches 1 (`verdicts.starts_highest`); correlations only.
    """
    columns = ["at the start", "lowest", "at the end", "start at 1"]
    rows = {}
    for label in labels(runs):
        own = [run for run in runs if run.label == label]
        for column, symbol in (("rho", "ρ"), ("tau", "τ"), ("late_half", "late-half μ"), ("validation_loss", "loss")):
            mean, full = band(runs, label, column)["mean"], ""
            if column in METRICS:
                full = f"{sum(not high < 1 for high in _highest_start(own, column))} of {len(own)}"
            rows[label, symbol] = dict(zip(columns, (mean.iloc[0], mean.min(), mean.iloc[-1], full), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Fig. 4's three claims for rho and for tau, on the runs made here; and the first of them for the level of mu.

    Highest at initialisation (every run that does not start at 1), falls, turns negative (every label, by the interval
    over its seeds). Without runs each is not testable here.
    """
    return [claim for name in METRICS for claim in _correlation_claims(runs, name)] + [_level_claim(runs)]


def _correlation_claims(runs: Sequence[Run], name: str) -> list[Claim]:
    symbol, metric, _ = METRICS[name]
    points = paper.training_run()[metric]
    start, end = ([float(run.path[name].iloc[at]) for run in runs] for at in (0, -1))
    later = [_highest_later(run.path, name) for run in runs]
    fall = [b - a for a, b in zip(start, end, strict=True)]
    highest = Claim(
        claim=f"pocket: {symbol} is highest at initialisation",
        source="Fig. 4",
        published=f"{points.iloc[0]:.2f}; later at most {points.iloc[1:].max():.2f}",
        here=_start_and_later(start, later),
        rule=verdicts.FIRST,
        verdict=verdicts.starts_highest(start, later, _highest_start(runs, name)),
    )
    path, last = f"{points.iloc[0]:.2f} → {points.iloc[-1]:.2f}", f"{points.iloc[-1]:.2f} at the end"
    falls = _below_0(f"pocket: {symbol} falls during training", path, runs, fall)
    return [highest, falls, _below_0(f"pocket: {symbol} turns negative during training", last, runs, end)]


def _level_claim(runs: Sequence[Run]) -> Claim:
    start = [float(run.path.late_half.iloc[0]) for run in runs]
    later = [_highest_later(run.path, "late_half") for run in runs]
    return Claim(
        claim="pocket: late-half μ is highest at initialisation",
        here=_start_and_later(start, later),
        rule="no later checkpoint above it",
        verdict=verdicts.all_below(later, start),
    )


def _start_and_later(start: Sequence[float], later: Sequence[float]) -> str:
    return f"{numbers(start)}; later at most {numbers(later)}" if start else "none"


def _below_0(claim: str, published: str, runs: Sequence[Run], values: Sequence[float]) -> Claim:
    """`values`, one a run, are below 0 in every label: means over the seeds, with Student's t."""
    found = {
        label: mean_and_interval([value for run, value in zip(runs, values, strict=True) if run.label == label])
        for label in labels(runs)
    }
    return Claim(
        claim=claim,
        source="Fig. 4",
        published=published,
        here="; ".join(f"{label} {tables.text(mean, 2)}" for label, mean in found.items()) or "none",
        rule=verdicts.BELOW_0,
        verdict=verdicts.on_one_side([mean.interval for mean in found.values()], -1),
    )


def _highest_later(path: pd.DataFrame, column: str) -> float:
    """Highest value after the start. A look at which nothing has changed yet is left out: warm-up begins at rate 0."""
    return float(path[column][path.late_half != path.late_half.iloc[0]].max())


def _highest_start(runs: Sequence[Run], column: str) -> list[float]:
    """Upper end of the interval of rho or tau over the texts, before the first step."""
    return [getattr(run.look(0), f"{column}_interval").high for run in runs]


def checkpoint_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Fig. 4 itself, checkpoint by checkpoint; `results` in the order of `REVISIONS`, or empty where there is no hub.

    Values within 0.1 of the published; and below 0 at the last checkpoint, by the interval over the texts. Part of the
    checkpoints is not the run.
    """
    points, rows = paper.training_run(), []
    shown = results if len(results) == len(points) else []
    for name, (symbol, metric, _) in METRICS.items():
        here, last = [getattr(r, name) for r in shown], points.iloc[-1]
        end = getattr(shown[-1], f"{name}_interval") if shown else Interval(float("nan"), float("nan"))
        values = Claim(
            claim=f"Olmo-3-7B: {symbol} of {len(points)} checkpoints",
            source="Fig. 4",
            published=numbers(list(points[metric])),
            here=numbers(here) or "none",
            rule="0.1",
            verdict=_needs_hub(verdicts.within(here, list(points[metric]) if shown else [], 0.1)),
        )
        negative = Claim(
            claim=f"Olmo-3-7B: {symbol} turns negative during training",
            source="Fig. 4",
            published=number(last[metric], error=last[f"{metric} error"]),
            here=number(here[-1], end) if shown else "none",
            rule="interval below 0",
            verdict=_needs_hub(verdicts.is_negative(end)),
        )
        rows += [values, negative]
    return rows


def _needs_hub(verdict: verdicts.Verdict) -> verdicts.Verdict:
    if verdict.word != verdicts.NOT_TESTABLE:
        return verdict
    why = "the checkpoints are on the hub only: `--profile paper` measures them"
    return verdicts.Verdict(verdicts.NOT_TESTABLE, why)


# --- figure -----------------------------------------------------------------------------------------------------------

TREND = {"rho": ("ρ", "spearman", BLUE), "tau": ("τ", "kendall", RED)}


def paths(runs: Sequence[Run], start: Sequence[Condensation] = ()) -> Figure:
    """Fig. 4 beside runs made here: rho and tau at each checkpoint, and mu of the late half.

    First the published points over the checkpoints of Olmo-3 (`paper.training_run`), with `start`, its untrained
    measurements here, as diamonds at the first. Then one panel a label, and one for the late half of all labels:
    against tokens on a log axis, initialisation apart at its left, mean over the seeds, band from lowest to highest.
    """
    names = labels(runs)
    panels = 1 + len(names) + bool(names)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, panels, figsize=(2.9 * panels + 1, 3.0), squeeze=False, layout="constrained")
        _published(axes.flat[0], paper.training_run(), start)
        for axis, label in zip(axes.flat[1:], names, strict=False):
            for column, (symbol, _, colour) in TREND.items():
                _path(axis, band(runs, label, column), symbol, colour)
            axis.set(title=label, ylim=(-1.05, 1.05))
            axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        if names:
            for label, colour in zip(names, colours(len(names)), strict=True):
                _path(axes.flat[-1], band(runs, label, "late_half"), label, colour)
            axes.flat[-1].set(title="late half of the layers", ylabel="mean cosine μ", ylim=(0, 1))
        for axis in axes.flat:
            axis.legend(fontsize=8)
    return closed(figure)


def _published(axis, points: pd.DataFrame, start: Sequence[Condensation]) -> None:
    for name, (symbol, metric, colour) in TREND.items():
        axis.plot(points.index, points[metric], "o-", color=colour, markersize=3, linewidth=1, label=symbol)
        if start:
            here, label = [getattr(result, name) for result in start], f"{symbol}, untrained here"
            first = [points.index[0]] * len(here)
            axis.plot(first, here, "D", color=colour, markersize=6, fillstyle="none", label=label)
    axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axis.set_xticks(points.index, points.checkpoint, rotation=60, ha="right", fontsize=7)
    axis.set(title="Olmo-3-7B, published", ylabel="correlation of μ with depth", ylim=(-1.05, 1.05))


def _path(axis, table: pd.DataFrame, label: str, colour) -> None:
    """One quantity over the tokens; the first row, at 0 tokens, has no place on a log axis and gets one of its own."""
    later = table.iloc[1:]
    apart = later.tokens.iloc[0] / 4
    start = table.iloc[0]
    axis.vlines(apart, start.low, start.high, color=colour, linewidth=1)
    axis.plot(apart, start["mean"], "D", color=colour, markersize=4)
    axis.plot(later.tokens, later["mean"], "o-", color=colour, markersize=3, linewidth=1, label=label)
    axis.fill_between(later.tokens, later.low, later.high, color=colour, alpha=0.2, linewidth=0)
    axis.axvline(later.tokens.iloc[0] / 2, color="0.8", linestyle=":", linewidth=0.8)
    axis.set_xscale("log")
    decades = 10.0 ** np.arange(np.ceil(np.log10(later.tokens.iloc[0])), np.log10(later.tokens.iloc[-1]) + 1e-9)
    axis.set_xticks([apart, *decades], ["start", *(f"$10^{np.log10(d):.0f}$" for d in decades)])
    axis.minorticks_off()
    axis.set_xlabel("tokens seen")
