"""Which part of dispersion does the work: runs that push all of the cone, one part of it, or nothing."""

from collections.abc import Sequence

import pandas as pd

from ...runs import tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, mean_and_interval
from .parts import PLACES

DESIGN = "cone"  # of `paper.designs`
PLAIN = "train"
LATE, LOSS = "late-half μ", "validation loss"
PARTS = ("within", "between", "excess")


def part(name: str, place: str, checkpoint: int = -1) -> Quantity:
    """A quantity of the controls of a run at a place, after the last step or at another checkpoint."""
    return lambda run: float(PLACES[place](run.looks[checkpoint].controls[name]))


QUANTITIES: dict[str, Quantity] = {  # after the last step
    LATE: Run.late_half,
    LOSS: lambda run: run.validation_loss,
    **{f"{name}, late half": part(name, "late half") for name in PARTS},
}


def difference(runs: Sequence[Run], label: str, quantity: str) -> Estimate:
    """One of the losses minus plain training, seed by seed."""
    return tables.paired(runs, label, PLAIN, QUANTITIES[quantity])


def comparisons(runs: Sequence[Run]) -> pd.DataFrame:
    """`difference` of every loss and quantity in words, with 95 % intervals over the seeds."""
    labels = [label for label in tables.first(runs) if label != PLAIN]
    rows = {label: {name: tables.text(difference(runs, label, name), 3) for name in QUANTITIES} for label in labels}
    return pd.DataFrame.from_dict(rows, orient="index")


def change(runs: Sequence[Run], name: str, label: str = PLAIN, place: str = "middle") -> Estimate:
    """A quantity after the last step minus before the first, of the runs of one label, over the seeds."""
    chosen = [run for run in runs if run.label == label]
    return mean_and_interval([part(name, place)(run) - part(name, place, 0)(run) for run in chosen])


def along(runs: Sequence[Run], label: str, place: str = "middle") -> pd.DataFrame:
    """`PARTS` at each checkpoint of the runs of one label: columns step, seed, part, value."""
    return pd.DataFrame(
        [
            {"step": step, "seed": run.seed, "part": name, "value": part(name, place, checkpoint)(run)}
            for run in runs if run.label == label
            for checkpoint, step in enumerate(run.results["checkpoints"])
            for name in PARTS
        ]
    )  # fmt: skip
