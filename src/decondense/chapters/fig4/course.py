"""What a training run does to the geometry, from its checkpoints: runs made here, and those of Olmo-3.

The `path` of a run (`runs.run.Run`) has one row a checkpoint. The first is the model before the first step.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import paper
from ...condensation import Condensation
from ...pairing import estimated, paired_differences
from ...paper.claims import Claim, number
from ...paper.trends import METRICS, REPEATS
from ...paper.verdicts import Test, Verdict, effect, not_beyond, not_testable
from ...plots import BLUE, RED, STYLE, closed, colours
from ...runs import tables
from ...runs.run import Run
from ...stats import Estimate, mean_and_interval
from .start import BECAUSE, TOLERANCE

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
    """First and last checkpoint, the highest after the first and the lowest: a row a label and quantity.

    Means over the seeds; "highest later" is the mean of each run's own.
    """
    columns = ["at the start", "highest later", "lowest", "at the end"]
    rows = {}
    for label in labels(runs):
        for column, symbol in (("rho", "ρ"), ("tau", "τ"), ("late_half", "late-half μ"), ("validation_loss", "loss")):
            mean = band(runs, label, column)["mean"]
            later = over_seeds(runs, lambda run, column=column: highest_later(run, column))[label].value
            rows[label, symbol] = dict(zip(columns, (mean.iloc[0], later, mean.min(), mean.iloc[-1]), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def over_seeds(runs: Sequence[Run], value: Callable[[Run], float]) -> dict[str, Estimate]:
    """The mean over the seeds of a number of a run, with its interval, by label."""
    return {label: mean_and_interval([value(run) for run in runs if run.label == label]) for label in labels(runs)}


def highest_later(run: Run, column: str) -> float:
    """Highest value after the start. A look at which nothing has changed yet is left out: warm-up begins at rate 0."""
    path = run.path
    return float(path[column][path.late_half != path.late_half.iloc[0]].max())


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Fig. 4's three claims for rho and for tau, on the runs made here; and the first of them for the level of mu.

    Highest at initialisation, falls, turns negative: an item a label, over its seeds. Without runs not testable here.
    """
    return [claim for name in METRICS for claim in _correlation_claims(runs, name)] + [_level_claim(runs)]


def _correlation_claims(runs: Sequence[Run], name: str) -> list[Claim]:
    symbol, metric, _ = METRICS[name]
    points = paper.training_run()[metric]
    there = {
        "is highest at initialisation": f"{points.iloc[0]:.2f}; later at most {points.iloc[1:].max():.2f}",
        "falls during training": f"{points.iloc[0]:.2f} → {points.iloc[-1]:.2f}",
        "turns negative during training": f"{points.iloc[-1]:.2f} at the end",
    }
    changes = over_seeds(runs, lambda run: run.path[name].iloc[-1] - run.path[name].iloc[0])
    last = over_seeds(runs, lambda run: run.path[name].iloc[-1])
    found = (
        (_start_and_later(runs, name), _highest_at_the_start(runs, name)),
        (_by_label(changes), [_falls(change, metric) for change in changes.values()]),
        (_by_label(last), [_is_negative(end, metric) for end in last.values()]),
    )
    return [
        Claim(
            claim=f"pocket: {symbol} {what}",
            source="Fig. 4",
            published=published,
            here=here,
            verdict=verdict or not_testable("no runs in this profile"),
            repeats=REPEATS[name],
        )
        for (what, published), (here, verdict) in zip(there.items(), found, strict=True)
    ]


def _highest_at_the_start(runs: Sequence[Run], name: str) -> Verdict | list[Test]:
    """Tests of the labels that do not start at 1: nothing can exceed such a start."""
    start = over_seeds(runs, lambda run: run.path[name].iloc[0])
    below = [label for label, one in start.items() if one.value < 1 - TOLERANCE]
    if start and not below:
        return not_testable(f"every shape starts within {TOLERANCE:g} of 1, and nothing can exceed that")
    return [_not_above_start(runs, label, name, BECAUSE) for label in below]


def _level_claim(runs: Sequence[Run]) -> Claim:
    because = "late-half μ differs by about as much from one size of GPT2 to the next in Fig. 2a"
    tests = [_not_above_start(runs, label, "late_half", because) for label in labels(runs)]
    return Claim(
        claim="pocket: late-half μ is highest at initialisation",
        here=_start_and_later(runs, "late_half"),
        verdict=tests or not_testable("no runs in this profile"),
    )


def _not_above_start(runs: Sequence[Run], label: str, column: str, because: str) -> Test:
    rises = [highest_later(run, column) - run.path[column].iloc[0] for run in runs if run.label == label]
    return not_beyond(mean_and_interval(rises), TOLERANCE, f"highest later minus start; {because}")


def _falls(change: Estimate, metric: str) -> Test:
    points = paper.training_run()[metric]
    return effect(change, points.iloc[-1] - points.iloc[0], "the published change of Olmo-3-7B")


def _is_negative(end: Estimate, metric: str) -> Test:
    return effect(end, paper.training_run()[metric].iloc[-1], "the published last value of Olmo-3-7B")


def _start_and_later(runs: Sequence[Run], column: str) -> str:
    start = over_seeds(runs, lambda run: run.path[column].iloc[0])
    later = over_seeds(runs, lambda run: highest_later(run, column))
    said = [f"{label} {one.value:.3f}, later up to {later[label].value:.3f}" for label, one in start.items()]
    return "; ".join(said) or "none"


def _by_label(found: Mapping[str, Estimate]) -> str:
    return "; ".join(f"{label} {tables.text(one, 2)}" for label, one in found.items()) or "none"


def checkpoint_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Fig. 4 itself, over the texts: rho and tau fall from the first checkpoint to the last, and turn negative.

    `results` in the order of `REVISIONS`, or empty where there is no hub. Part of the checkpoints is not the run.
    """
    shown, rows = (results if len(results) == len(REVISIONS) else []), []
    missing = not_testable("the checkpoints are on the hub only: `--profile paper` measures them")
    for name, (symbol, metric, statistic) in METRICS.items():
        first, last = (paper.training_run().iloc[at] for at in (0, -1))
        change = paired_differences([shown[0], shown[-1]], statistic)[0] if shown else None
        end = estimated(shown[-1], statistic) if shown else None
        claims = (
            ("falls", f"{first[metric]:.2f} → {last[metric]:.2f}", change, _falls),
            ("turns negative", number(last[metric], error=last[f"{metric} error"]), end, _is_negative),
        )
        rows += [
            Claim(
                claim=f"Olmo-3-7B: {symbol} {what} during training",
                source="Fig. 4",
                published=published,
                here=number(one.value, one.interval) if one else "none",
                verdict=[test(one, metric)] if one else missing,
                repeats=REPEATS[name],
            )
            for what, published, one, test in claims
        ]
    return rows


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
