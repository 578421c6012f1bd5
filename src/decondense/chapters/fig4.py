"""What a training run does to the geometry, from its checkpoints: Fig. 4 as tables and claims.

A run is a `run.Run` with `path`: one row a checkpoint, with step, tokens, validation_loss, rho, tau and late_half
(mean mu of the late half of the entries). The first row is the model before the first step.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import paper
from ..condensation import Condensation
from ..paper import verdicts
from ..paper.claims import Claim, number, numbers, signed
from ..paper.trends import METRICS
from ..runs import tables
from ..stats import Interval, mean_and_interval
from ..surveys import Measured, untrained

# Checkpoint in Fig. 4 -> revision on the hub. The names of stage 1 are those of the hub's branches as far as known;
# all are to be confirmed when the hub can be reached, those of stages 2 and 3 above all.
REVISIONS = {
    "S1-0": "stage1-step0", "S1-353k": "stage1-step353000", "S1-705k": "stage1-step705000",
    "S1-1059k": "stage1-step1059000", "S2-1k": "stage2-ingredient1-step1000", "S2-13k": "stage2-ingredient1-step13000",
    "S2-25k": "stage2-ingredient1-step25000", "S2-37k": "stage2-ingredient1-step37000", "S3-1k": "stage3-step1000",
    "S3-4k": "stage3-step4000", "S3-7k": "stage3-step7000", "S3-10k": "stage3-step10000", "Main": "main",
}  # fmt: skip


def labels(runs: Sequence) -> list[str]:
    """The labels of the runs, each once, in order."""
    return list(dict.fromkeys(run.label for run in runs))


def band(runs: Sequence, label: str, column: str) -> pd.DataFrame:
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


def ends(runs: Sequence) -> pd.DataFrame:
    """First and last checkpoint, and the lowest value between: one row a label and quantity, means over the seeds.

    `start at 1`: of how many runs the start cannot be told from 1 (`verdicts.starts_highest`); correlations only.
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


def training_claims(runs: Sequence) -> list[Claim]:
    """Fig. 4's three claims for rho and for tau, on the runs made here; and the first of them for the level of mu.

    Highest at initialisation (every run that does not start at 1), falls, turns negative (every label, by the interval
    over its seeds). Without runs each is not testable here.
    """
    rows = []
    for column, (symbol, metric, _) in METRICS.items():
        points = paper.training_run()[metric]
        start, later, end = ([f(run.path, column) for run in runs] for f in (_first, _highest_later, _last))
        change = _by_label(runs, [b - a for a, b in zip(start, end, strict=True)])
        at_end = _by_label(runs, end)
        here = f"{numbers(start)}; later at most {numbers(later)}" if runs else "none"
        there = f"{points.iloc[0]:.2f}; later at most {points.iloc[1:].max():.2f}"
        highest = verdicts.starts_highest(start, later, _highest_start(runs, column))
        path, last = f"{points.iloc[0]:.2f} → {points.iloc[-1]:.2f}", f"{points.iloc[-1]:.2f} at the end"
        rows += [
            _claim(f"{symbol} is highest at initialisation", there, here, verdicts.FIRST, highest),
            _below_0(f"{symbol} falls during training", path, *change),
            _below_0(f"{symbol} turns negative during training", last, *at_end),
        ]
    start, later = ([f(run.path, "late_half") for run in runs] for f in (_first, _highest_later))
    here = f"{numbers(start)}; later at most {numbers(later)}" if runs else "none"
    highest = verdicts.all_below(later, start)
    what = "pocket: late-half μ is highest at initialisation"
    return [
        *rows,
        Claim(
            claim=what,
            here=here,
            rule="no later checkpoint above it",
            verdict=highest,
        ),
    ]


def _claim(claim: str, published: str, here: str, rule: str, verdict: verdicts.Verdict) -> Claim:
    return Claim(
        claim=f"pocket: {claim}",
        source="Fig. 4",
        published=published,
        here=here,
        rule=rule,
        verdict=verdict,
    )


def _below_0(claim: str, published: str, here: str, intervals: Sequence[Interval]) -> Claim:
    return _claim(claim, published, here, verdicts.BELOW_0, verdicts.on_one_side(intervals, -1))


_first = lambda path, column: float(path[column].iloc[0])
_last = lambda path, column: float(path[column].iloc[-1])


def _highest_later(path: pd.DataFrame, column: str) -> float:
    """Highest value after the start. A look at which nothing has changed yet is left out: warm-up begins at rate 0."""
    return float(path[column][path.late_half != path.late_half.iloc[0]].max())


def _highest_start(runs: Sequence, column: str) -> list[float]:
    """Upper end of the interval of rho or tau over the texts, before the first step."""
    return [getattr(run.look(0), f"{column}_interval").high for run in runs]


def _by_label(runs: Sequence, values: Sequence[float]) -> tuple[str, list[Interval]]:
    """Mean over the seeds of each label with its 95 % interval (Student's t), as text and as numbers."""
    found = {
        label: mean_and_interval([v for run, v in zip(runs, values, strict=True) if run.label == label])
        for label in labels(runs)
    }
    shown = "; ".join(f"{label} {tables.text(mean, 2)}" for label, mean in found.items())
    return shown or "none", [mean.interval for mean in found.values()]


def olmo_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Fig. 4 itself, checkpoint by checkpoint; `results` in the order of `REVISIONS`, or empty where there is no hub.

    Values within 0.1 of the published; and below 0 at the last checkpoint, by the interval over the texts.
    """
    points, rows = paper.training_run(), []
    whole = len(results) == len(points)
    for name, (symbol, metric, _) in METRICS.items():
        here = [getattr(r, name) for r in results] if whole else []
        shown = numbers(here) or "none"
        published = list(points[metric])
        verdict = verdicts.within(here, published if whole else [], 0.1)
        claim, there = f"Olmo-3-7B: {symbol} of {len(points)} checkpoints", numbers(published)
        rows.append(
            Claim(
                claim=claim,
                source="Fig. 4",
                published=there,
                here=shown,
                rule="0.1",
                verdict=_needs_hub(verdict),
            )
        )
        end = getattr(results[-1], f"{name}_interval") if whole else Interval(float("nan"), float("nan"))
        there = number(points[metric].iloc[-1], error=points[f"{metric} error"].iloc[-1])
        claim = f"Olmo-3-7B: {symbol} turns negative during training"
        last = number(here[-1], end) if whole else "none"
        rows.append(
            Claim(
                claim=claim,
                source="Fig. 4",
                published=there,
                here=last,
                rule="interval below 0",
                verdict=_needs_hub(verdicts.is_negative(end)),
            )
        )
    return rows


def _needs_hub(verdict: verdicts.Verdict) -> verdicts.Verdict:
    if verdict.word != verdicts.NOT_TESTABLE:
        return verdict
    return verdicts.Verdict(
        verdicts.NOT_TESTABLE, "the checkpoints are on the hub only: `--profile paper` measures them"
    )


# --- where it starts: untrained models --------------------------------------------------------------------------------

IN_FIG4 = "olmo-3-7b"  # the model of Fig. 4
TOLERANCE = 0.05  # of rho and tau at initialisation


def table(found: untrained.Found) -> pd.DataFrame:
    """One row a model: size, and over the seeds the mean with lowest and highest of rho, tau, first and last mu.

    `falls`: steps from one entry to the next, of all, where mu (mean over the seeds) does not rise.
    """
    rows = {}
    for name, members in found.items():
        results, config = [m.condensation for m in members], untrained.configuration(name)
        steps = np.diff(np.mean([r.mu for r in results], axis=0))
        rows[name] = {
            "blocks": config.num_hidden_layers,
            "width": config.hidden_size,
            "ρ": spread([r.rho for r in results]),
            "τ": spread([r.tau for r in results]),
            "first μ": spread([r.mu[0] for r in results]),
            "last μ": spread([r.mu[-1] for r in results]),
            "falls": f"{(steps <= 0).sum()} of {len(steps)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def repetition(found: dict[int, list[Measured]]) -> pd.DataFrame:
    """`repeated` as a table, one row a count: over the seeds rho, tau, first, second and last mu, as in `table`."""
    rows = {}
    for count, members in found.items():
        results = [m.condensation for m in members]
        row = {"ρ": [r.rho for r in results], "τ": [r.tau for r in results]}
        row |= {f"{name} μ": [r.mu[at] for r in results] for name, at in (("first", 0), ("second", 1), ("last", -1))}
        rows[count] = {name: spread(values) for name, values in row.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("different tokens")


def repetition_claim(model: str, found: dict[int, list[Measured]]) -> Claim:
    """This book's question on `repeated`: is rho 1 whatever the text?"""
    means = {count: float(np.mean([m.condensation.rho for m in members])) for count, members in found.items()}
    here = "; ".join(f"{count} {rho:.2f}" for count, rho in means.items()) or "none"
    verdict = verdicts.within(list(means.values()), [1.0] * len(means), TOLERANCE)
    claim = f"{model}, untrained: Spearman ρ = 1 however few different tokens a text has"
    return Claim(
        claim=claim,
        here=here,
        rule=f"{TOLERANCE:g}",
        verdict=verdict,
    )


def spread(values: Sequence[float]) -> str:
    """Mean, lowest and highest as the tables show them: `0.532 [0.511, 0.550]`; the mean alone of one value."""
    return f"{np.mean(values):.3f}" + (f" [{min(values):.3f}, {max(values):.3f}]" if len(values) > 1 else "")


def untrained_claims(found: untrained.Found) -> list[Claim]:
    """Fig. 4's start against Olmo-3 here; and two questions of this book's own on all other architectures."""
    olmo = [m.condensation for m in found.get(IN_FIG4, [])]
    others = [m.condensation for name, members in found.items() if name != IN_FIG4 for m in members]
    start = paper.training_run().iloc[0]
    rows = []
    for name, (symbol, metric, _) in METRICS.items():
        here, published = (
            [getattr(r, name) for r in olmo],
            number(start[metric], error=start[f"{metric} error"]),
        )
        claim = f"Olmo-3-7B at initialisation: {symbol} as published (near 1)"
        verdict = verdicts.within(here, [start[metric]] * len(here), TOLERANCE)
        rows.append(
            Claim(
                claim=claim,
                source="Fig. 4",
                published=published,
                here=spread(here) if here else "none",
                rule=f"{TOLERANCE:g}",
                verdict=verdict,
            )
        )
    for name, (symbol, _, _) in METRICS.items():
        here = [getattr(r, name) for r in others]
        claim = f"every other architecture at initialisation: {symbol} = 1"
        verdict = verdicts.within(here, [1.0] * len(here), TOLERANCE)
        shown = spread(here) if here else "none"
        rows.append(
            Claim(
                claim=claim,
                here=shown,
                rule=f"{TOLERANCE:g}",
                verdict=verdict,
            )
        )
    return [*rows, _size_claim(found)]


def _size_claim(found: untrained.Found) -> Claim:
    """Whether the last mu is higher in the largest model of each family than in its smallest."""
    last = lambda members: float(np.mean([m.condensation.mu[-1] for m in members]))
    ends = {f: list(group.values()) for f, group in untrained.families(found).items() if len(group) > 1}
    rises = pd.Series({f: last(group[-1]) - last(group[0]) for f, group in ends.items()}, dtype=float)
    claim = "untrained: the largest model of a family has a higher last μ than its smallest"
    verdict = verdicts.all_above(list(rises))
    return Claim(
        claim=claim,
        here=signed(rises) or "none",
        rule="above 0 in each family",
        verdict=verdict,
    )
