"""The learning rate of each condition: short runs of a seed of their own choose it."""

from collections.abc import Mapping, Sequence

import pandas as pd

from . import grid, readings
from .configuration import Configuration
from .run import Run
from .tables import Quantity

VALIDATION_LOSS: Quantity = lambda run: run.validation_loss


def trials(
    shared: Configuration,
    changes: Mapping[str, dict],
    rates: Sequence[float] = (),
    steps: int = 0,
    seed: int = 0,
) -> list[Run]:
    """Short runs of every condition at every rate, of a seed that no other run has; none where no rates are given.

    They end their own schedule after `steps`, and are not scored on the benchmarks.
    """
    if not rates:
        return []
    trial = shared.changed(steps=steps, seed=seed, tasks={})
    return grid.made(
        [
            (label, trial.changed(**change | {"learning_rate": rate}))
            for label, change in changes.items()
            for rate in rates
        ]
    )


def table(runs: Mapping[str, Sequence[Run]], quantity: Quantity = VALIDATION_LOSS) -> pd.DataFrame:
    """A quantity at the end of each tuning run: a row per model and condition, a column per rate.

    Without another it is the validation loss (nats a token).
    """
    rows: dict[tuple[str, str], dict[float, float]] = {}
    for name, tried in runs.items():
        for run in tried:
            rows.setdefault((name, run.label), {})[readings.learning_rate(run)] = quantity(run)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(columns="learning rate")


def at_best_rate(runs: Sequence[Run], changes: Mapping[str, dict]) -> dict[str, dict]:
    """The changes of each condition, with the rate at which its tuning run ended with the lowest validation loss.

    Unchanged where there are no tuning runs.

    Raises
        ValueError: no rate of a condition gave a finite loss.
    """
    rates = {run.label: readings.learning_rate(run) for run in readings.tuned(runs)}
    rate = lambda label: {"learning_rate": rates[label]} if label in rates else {}
    return {label: change | rate(label) for label, change in changes.items()}
