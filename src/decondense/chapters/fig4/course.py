"""What a training run does to the geometry, from its checkpoints: runs made here, and those of Olmo-3.

The `path` of a run (`runs.run.Run`) has one row per checkpoint. The first is the model before the first step.
"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ... import paper
from ...condensation import Condensation
from ...pairing import estimated, paired_differences
from ...paper.claims import Claim, number
from ...paper.trends import METRICS, REPEATS
from ...paper.verdicts import Test, Verdict, effect, not_beyond, not_testable
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
    """Mean, lowest and highest over the seeds of one column of `path`: one row per checkpoint, with its tokens.

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
    """First and last checkpoint, the highest after the first and the lowest: a row per label and quantity.

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
