"""What the runs say: what each scheme costs each arm, the share of it that an arm saves, outliers, the geometry."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ... import metrics
from ...records import Record
from ...runs import tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, mean_and_interval

PLAIN, SPREAD, COLLAPSED = "train", "dispersion", "collapsed"
AS_IT_IS, ROTATED = "as it is", ", rotated"
FLOOR = 0.01  # nats a token: of a smaller loss there is nothing to save
WORDS = {
    "weights_kurtosis": "weights: excess kurtosis", "weights_peak": "weights: max / median of a channel",
    "inputs_kurtosis": "inputs: excess kurtosis", "inputs_peak": "inputs: max / median of a token",
    "inputs_channels": "inputs: largest / median channel",
}  # fmt: skip
KURTOSIS = "inputs_kurtosis"


# --- of one record ----------------------------------------------------------------------------------------------------


def row(record: Record, scheme: str = AS_IT_IS) -> dict:
    """What was measured under a scheme.

    Raises
        KeyError: the record has no such scheme.
    """
    rows = {each["scheme"]: each for each in record.content["results"]["rounded"]}
    return rows[scheme]


def schemes(record: Record) -> list[str]:
    """The labels of the schemes of a record, in their order."""
    return [each["scheme"] for each in record.content["results"]["rounded"] if each["scheme"] != AS_IT_IS]


def cost(scheme: str) -> Quantity:
    """The loss under a scheme minus that of the model as it is, in nats a token."""
    return lambda run: row(run.record, scheme)["loss"] - row(run.record)["loss"]


def scored(scheme: str) -> Quantity:
    """The log-probability of right answers under a scheme minus that of the model as it is, in nats an item."""
    return lambda run: row(run.record, scheme)["logprob"] - row(run.record)["logprob"]


def loss(run: Run) -> float:
    """Nats a token, of the model as it is."""
    return row(run.record)["loss"]


def late(record: Record, scheme: str = AS_IT_IS) -> float:
    """μ over the late half, under a scheme."""
    return float(metrics.mean_of_last(np.array(row(record, scheme)["mu"]), None))


def moved(scheme: str) -> Quantity:
    """Late-half μ under a scheme minus that of the model as it is."""
    return lambda run: late(run.record, scheme) - late(run.record)


def outlier(name: str) -> Quantity:
    """A key of `WORDS`, mean over the layers that are rounded."""
    return lambda run: float(np.mean([layer[name] for layer in run.results["outliers"].values()]))


# --- of several runs --------------------------------------------------------------------------------------------------


def labels(runs: Sequence[Run]) -> list[str]:
    """The arms, in the order of the runs; without those that are rounded in training."""
    return list(tables.first(runs))


def of_arm(runs: Sequence[Run], label: str, quantity: Quantity) -> Estimate:
    """Mean over the seeds of an arm."""
    return mean_and_interval([quantity(run) for run in runs if run.label == label])


def saved(runs: Sequence[Run], label: str, quantity: Quantity) -> Estimate:
    """(an arm - plain training) / mean of plain training, seed by seed: -0.5 is half, 0 as much as plain training.

    The mean is over the seeds that both have; dividing by it does not change the test against 0.
    """
    table = tables.by_seed(runs, quantity).loc[[PLAIN, label]].dropna(axis=1)
    return mean_and_interval((table.loc[label] - table.loc[PLAIN]) / table.loc[PLAIN].mean())


def enough(runs: Sequence[Run], scheme: str) -> bool:
    """Whether plain training loses as much under a scheme as could be saved (`FLOOR`)."""
    return of_arm(runs, PLAIN, cost(scheme)).value >= FLOOR


def closed(runs: Sequence[Run], label: str, scheme: str) -> Estimate:
    """What a rotation adds to `saved`, in shares of what plain training loses without: +0.5 closes a gap of -0.5."""
    at = lambda name: tables.by_seed(runs, cost(name)).loc[[PLAIN, label]].dropna(axis=1)
    plain, turned = at(scheme), at(scheme + ROTATED)
    gap = lambda table: table.loc[label] - table.loc[PLAIN]
    return mean_and_interval(((gap(turned) - gap(plain)) / plain.loc[PLAIN].mean()).dropna())


def in_training(aware: Sequence[Run], runs: Sequence[Run]) -> list[Run]:
    """Runs that are rounded in training, each with its loss as the scheme `TRAINED` of the run without: see `cost`."""
    of = {(run.label, run.seed): run for run in runs}
    return [_beside(of[run.label, run.seed], run) for run in aware if (run.label, run.seed) in of]


TRAINED = "ternary A8, in training"


def _beside(run: Run, aware: Run) -> Run:
    results = run.results | {"rounded": [row(run.record), row(aware.record) | {"scheme": TRAINED}]}
    return Run(run.label, run.seed, run.record._replace(content=run.record.content | {"results": results}))


def costs(runs: Sequence[Run]) -> pd.DataFrame:
    """A row per scheme: what it costs each arm (nats a token), mean over the seeds, and the share that each saves."""
    found = {}
    for scheme in schemes(runs[0].record):
        means = {label: of_arm(runs, label, cost(scheme)).value for label in labels(runs)}
        others = [label for label in labels(runs) if label != PLAIN] if enough(runs, scheme) else []
        share = {f"{label}: change": tables.text(saved(runs, label, cost(scheme)), 2) for label in others}
        found[scheme] = means | share
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(index="nats a token")


def arms(runs: Sequence[Run]) -> pd.DataFrame:
    """A column per arm: loss and late-half μ of the models as they are, and their outliers, mean over the layers."""
    asked = {"loss (nats a token)": loss, "late-half μ": lambda run: late(run.record)}
    asked |= {said: outlier(name) for name, said in WORDS.items()}
    return tables.summary(runs, asked).T


def geometry(runs: Sequence[Run], chosen: Sequence[str]) -> pd.DataFrame:
    """How far schemes move late-half μ, a column per arm, and the log-probability where it was scored."""
    rows = {}
    for scheme in chosen:
        for name, quantity in (("late-half μ", moved(scheme)), ("log-probability", scored(scheme))):
            if name == "late-half μ" or "logprob" in row(runs[0].record, scheme):
                rows[f"{scheme}: {name}"] = {
                    label: tables.text(of_arm(runs, label, quantity), 3) for label in labels(runs)
                }
    return pd.DataFrame.from_dict(rows, orient="index")


# --- real models ------------------------------------------------------------------------------------------------------


def of_texts(record: Record, scheme: str) -> Estimate:
    """What a scheme costs a real model, mean over the texts."""
    pair = [np.array(row(record, name)["losses"]) for name in (scheme, AS_IT_IS)]
    return mean_and_interval(pair[0] - pair[1], unit="texts")


def real(found: Mapping[str, Record]) -> pd.DataFrame:
    """A row per scheme: what it costs each model, with an interval over the texts, and how far it moves late-half μ."""
    columns = {}
    for name, record in found.items():
        every = schemes(record)
        columns[f"{name}: nats a token"] = {s: tables.text(of_texts(record, s), 3) for s in every}
        columns[f"{name}: late-half μ"] = {s: late(record, s) - late(record) for s in every}
    return pd.DataFrame(columns)


def of_layers(found: Mapping[str, Record]) -> pd.DataFrame:
    """The outliers of real models, mean over their layers, and the largest of a layer for the inputs' kurtosis."""
    columns = {}
    for name, record in found.items():
        layers = pd.DataFrame(record.content["results"]["outliers"]).T
        columns[name] = {**layers.mean().rename(WORDS), "largest kurtosis of inputs": layers[KURTOSIS].max()}
    return pd.DataFrame(columns)


def numbers(runs: Sequence[Run], trained: Sequence[Run], found: Mapping[str, Record]) -> dict[str, str]:
    """What the prose says beside the claims, by name: added loss (nats a token), and how far late-half μ moves."""
    said = {"loss": "; ".join(f"{label} {of_arm(runs, label, loss).value:.2f}" for label in labels(runs))}
    said["μ"] = "; ".join(
        f"{label} {of_arm(runs, label, lambda run: late(run.record)).value:.2f}" for label in labels(runs)
    )
    for scheme in ("W4", "W2", "ternary"):
        said[f"{scheme} costs"] = _by_arm(runs, cost(scheme))
    said["in training"] = _by_arm(trained, cost(TRAINED))
    for name, record in found.items():
        every = [scheme for scheme in ("W8", "W4", "W3") if scheme in schemes(record)]
        said[f"{name} loses"] = "; ".join(f"{s}: {tables.text(of_texts(record, s), 3)}" for s in every)
        moves = [late(record, scheme) - late(record) for scheme in every]
        said[f"{name}, μ"] = "; ".join(f"{s}: {by:+.3f}" for s, by in zip(every, moves, strict=True))
    return said


def _by_arm(runs: Sequence[Run], quantity: Quantity) -> str:
    return "; ".join(f"{label} {tables.text(of_arm(runs, label, quantity), 3)}" for label in labels(runs))
