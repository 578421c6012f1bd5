"""Runs with each loss by itself: the weight and rate of each, what it changes at equal steps, and at equal time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ... import metrics
from ...records import Record
from ...runs import readings, tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, mean_and_interval
from . import costs

DESIGN, RESUMED = "anticollapse", "anticollapse_midtraining"  # of `paper.designs`
PLAIN, DROPPED = "train", "train, dropout"  # what a loss of one view, and of two views, is compared with
LATE, LOSS = "late-half μ", "validation loss"
TIMED = 0.04  # how far two measurements of one ratio of times differed
PARTS = ("within", "between", "excess")
RANKS = {"effective rank": "effective_rank", "effective rank, centred": "effective_rank_centred"}


def _late(name: str) -> Quantity:
    """A control over the late half after the last step; NaN where the run was measured without it."""

    def quantity(run: Run) -> float:
        controls = run.looks[-1].controls
        known = controls is not None and name in controls.quantities
        return float(metrics.mean_of_last(controls[name], None)) if known else float("nan")

    return quantity


GAINS: dict[str, Quantity] = {  # after the last step
    LOSS: lambda run: run.validation_loss,
    LATE: Run.late_half,
    "log-probability (nats an item)": lambda run: run.likelihood,
}
QUANTITIES = GAINS | {f"{name}, late half": _late(name) for name in PARTS}


def conditions(one_view: Mapping[str, dict], two_views: Mapping[str, dict], dropout: Mapping) -> dict[str, dict]:
    """The changes of every condition: plain, each loss; plain with dropout and each loss of two views with the same."""
    dropped = {"shape": dict(dropout)}
    both = {DROPPED: dropped, **{label: dict(change) | dropped for label, change in two_views.items()}}
    return {PLAIN: {}, **one_view, **(both if two_views else {})}


def candidates(changes: Mapping[str, dict], weights: Sequence[float]) -> dict[str, dict]:
    """Each condition with a loss once for each weight; the others as they are. Empty without weights."""
    if not weights:
        return {}
    found = {}
    for label, change in changes.items():
        tried = {_weighted(label, w): change | {"weight": w} for w in weights}
        found |= tried if "loss" in change else {label: change}
    return found


def _weighted(label: str, weight: float) -> str:
    return f"{label}, weight {weight:g}"


def at_best(trials: Sequence[Run], changes: Mapping[str, dict], weights: Sequence[float]) -> dict[str, dict]:
    """Each condition with the weight and rate of its tuning run of lowest validation loss; unchanged without any."""
    best = {run.label: run for run in readings.tuned(trials)} if trials else {}
    found = {}
    for label, change in changes.items():
        tried = [_weighted(label, weight) for weight in weights] if "loss" in change else [label]
        runs = [best[name] for name in tried if name in best]
        chosen = min(runs, key=lambda run: run.validation_loss) if runs else None
        picked = {} if chosen is None else {"learning_rate": chosen.config["learning_rate"]}
        picked |= {"weight": chosen.config["weight"]} if chosen and "loss" in change else {}
        found[label] = dict(change) | picked
    return found


def baseline(run: Run) -> str:
    """The plain training that a run is compared with: the one with its dropout."""
    return DROPPED if run.config.get("shape", {}).get("resid_pdrop") else PLAIN


def compared(runs: Sequence[Run]) -> dict[str, str]:
    """Each label with a loss, and the label of its baseline."""
    return {label: baseline(run) for label, run in tables.first(runs).items() if run.config["loss"]}


def difference(runs: Sequence[Run], label: str, quantity: str) -> Estimate:
    """A loss minus its baseline at equal steps, seed by seed."""
    return tables.paired(runs, label, compared(runs)[label], QUANTITIES[quantity])


def comparisons(runs: Sequence[Run], quantities: Mapping[str, Quantity] = QUANTITIES) -> pd.DataFrame:
    """`difference` of every loss and quantity in words, with 95 % intervals over the seeds."""
    rows = {
        label: {name: tables.text(difference(runs, label, name), 3) for name in quantities} for label in compared(runs)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def ranks(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Effective rank in the late half, each loss minus its baseline, for each kind of training; empty without any."""
    columns = {}
    for kind, those in runs.items():
        for name, of in RANKS.items():
            if not tables.by_seed(those, _late(of)).isna().all(axis=None):
                found = {
                    label: tables.paired(those, label, baseline, _late(of))
                    for label, baseline in compared(those).items()
                }
                columns[f"{kind}: {name}"] = {label: tables.text(estimate, 2) for label, estimate in found.items()}
    return pd.DataFrame(columns)


def longer(plain: Mapping, steps: Sequence[int]) -> dict[str, dict]:
    """Plain training with more steps, a condition each; the schedule ends with the last of them."""
    return {f"{PLAIN}, {n} steps": dict(plain) | {"steps": n} for n in steps}


def plain_after(runs: Sequence[Run], steps: float) -> dict[int, float]:
    """The validation loss of plain training of so many steps, by seed.

    Between the lengths that were run, a line over the logarithm of the steps; beyond the longest, that of the longest.
    """
    of_seed: dict[int, dict[int, float]] = {}
    for run in runs:
        if run.label.startswith(PLAIN) and baseline(run) == PLAIN and not run.config["loss"]:
            of_seed.setdefault(run.seed, {})[run.config["steps"]] = run.validation_loss
    at = lambda known: np.interp(np.log(steps), np.log(sorted(known)), [known[n] for n in sorted(known)])
    return {seed: float(at(known)) for seed, known in of_seed.items()}


def at_equal_time(runs: Sequence[Run], label: str, ratio: float) -> Estimate:
    """The validation loss of a run with a loss minus that of plain training which took the same time.

    ratio
        Of the time of a step with the loss over one of plain training: plain training makes so many more steps.

    The interval is over the seeds; `systematic` is what the value moves by where the ratio is `TIMED` more or less.
    """
    with_loss = {run.seed: run for run in runs if run.label == label}
    steps = next(iter(with_loss.values())).config["steps"]

    def at(ratio: float) -> Estimate:
        plain = plain_after(runs, steps * max(ratio, 1.0))
        return mean_and_interval([r.validation_loss - plain[seed] for seed, r in with_loss.items() if seed in plain])

    found, around = at(ratio), [at(ratio - TIMED), at(ratio + TIMED)]
    return found._replace(systematic=max(abs(one.value - found.value) for one in around))


def in_equal_time(runs: Sequence[Run], times: Record) -> pd.DataFrame:
    """`at_equal_time` of every loss in words, and the time of its step over that of plain training."""
    ratios = costs.ratios(times, PLAIN)[list(compared(runs))]
    found = {label: tables.text(at_equal_time(runs, label, ratio), 3) for label, ratio in ratios.items()}
    return pd.DataFrame({"time of a step / plain": ratios, f"{LOSS} at equal time": pd.Series(found)})
