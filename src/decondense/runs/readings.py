"""Training runs compared where they stand equal: each at its best learning rate, or all at the same validation loss.

A table of readings has one row per run: label, seed, learning_rate and the columns of `Run.path`.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ..stats import Estimate, Interval, mean_and_interval
from .run import Run

SYMBOLS = {"rho": "Spearman ρ", "tau": "Kendall τ", "late_half": "late-half μ"}  # quantities of a reading


def learning_rate(run: Run) -> float:
    """The largest rate of the run's schedule."""
    return run.record.content["config"]["learning_rate"]


def tuned(runs: Sequence[Run]) -> list[Run]:
    """Of each label the runs at one learning rate: where the mean over the seeds of the last validation loss is lowest.

    A rate at which a run ended without a finite loss is passed over.

    Raises
        ValueError: a label has no rate with finite losses only.
    """
    kept = []
    for label in dict.fromkeys(run.label for run in runs):
        by_rate: dict[float, list[Run]] = {}
        for run in runs:
            if run.label == label:
                by_rate.setdefault(learning_rate(run), []).append(run)
        losses = {rate: np.mean([run.validation_loss for run in group]) for rate, group in by_rate.items()}
        finite = {rate: loss for rate, loss in losses.items() if np.isfinite(loss)}
        if not finite:
            raise ValueError(f"No learning rate of {label!r} gave a finite validation loss. Add a lower one.")
        kept += by_rate[min(finite, key=finite.__getitem__)]
    return kept


def at_checkpoint(runs: Sequence[Run], checkpoint: int = -1) -> pd.DataFrame:
    """Readings after the last step, or at another checkpoint (0 is before the first step)."""
    return _readings(runs, [run.path.iloc[checkpoint] for run in runs])


def at_loss(runs: Sequence[Run], loss: float) -> pd.DataFrame:
    """Readings where each run first reaches this validation loss (nats a token).

    Between the last checkpoint above the loss (a) and the next one (b) each column is interpolated in the loss,

        w = (loss_a - loss) / (loss_a - loss_b),   reading = (1 - w) a + w b,

    rank correlations too, as numbers: NaN where one of the two has none. A run that starts at or below the loss is read
    before its first step.

    Raises
        ValueError: a run never comes so low.
    """
    return _readings(runs, [_where(run, loss) for run in runs])


def _where(run: Run, loss: float) -> pd.Series:
    path = run.path.dropna(subset=["validation_loss"])
    below = np.flatnonzero(path.validation_loss <= loss)
    if len(below) == 0:
        raise ValueError(
            f"The run {run.label!r}, seed {run.seed}, never reaches a validation loss of {loss:.3f}: its lowest is "
            f"{path.validation_loss.min():.3f}. Ask for `common_loss` of the runs, or more."
        )
    if below[0] == 0 or path.validation_loss.iloc[below[0]] == loss:  # the checkpoint before it may have no rho
        return path.iloc[below[0]]
    before, after = path.iloc[below[0] - 1], path.iloc[below[0]]
    weight = (before.validation_loss - loss) / (before.validation_loss - after.validation_loss)
    return (1 - weight) * before + weight * after


def common_loss(runs: Sequence[Run]) -> float:
    """The lowest validation loss that all runs reach at some checkpoint, in nats a token: the worst run's lowest."""
    return float(max(run.path.validation_loss.min() for run in runs))


def _readings(runs: Sequence[Run], rows: Sequence[pd.Series]) -> pd.DataFrame:
    which = [{"label": run.label, "seed": run.seed, "learning_rate": learning_rate(run)} for run in runs]
    return pd.DataFrame([a | row.to_dict() for a, row in zip(which, rows, strict=True)])


def by_seed(readings: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One row per label, in the order of the readings, and one column per seed."""
    return readings.pivot(index="label", columns="seed", values=quantity).loc[readings.label.unique()]


def differences(readings: pd.DataFrame, quantity: str) -> tuple[Estimate, list[Estimate]]:
    """(last label minus first, each label minus the one before it), taken seed by seed.

    A seed takes no part where the quantity has no value at one of the two, as rho has none where mu does not vary;
    where no seed has one, the estimate is NaN, of 0 seeds.

    Raises
        ValueError: fewer than two labels, or two of them share no seed.
    """
    table = by_seed(readings, quantity)
    if len(table) < 2:
        raise ValueError(f"A difference needs two labels, got {list(table.index)}.")
    seeds = readings.groupby("label").seed.agg(set)
    pairs = [(table.index[0], table.index[-1]), *pairwise(table.index)]
    for a, b in pairs:
        if not seeds[a] & seeds[b]:
            raise ValueError(f"{b!r} and {a!r} share no seed.")
    end, *steps = (_mean((table.loc[b] - table.loc[a]).dropna()) for a, b in pairs)
    return end, steps


def _mean(values: pd.Series) -> Estimate:
    nothing = Estimate(np.nan, Interval(np.nan, np.nan), np.nan, 0, "seeds")
    return mean_and_interval(values.to_numpy()) if len(values) else nothing


def seed_by_seed(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Last label minus first for each table and quantity: a column per seed, then mean and 95 % interval."""
    rows = {}
    for name, readings in tables.items():
        for quantity, symbol in SYMBOLS.items():
            values = by_seed(readings, quantity)
            apart = (values.iloc[-1] - values.iloc[0]).rename(lambda seed: f"seed {seed}").to_dict()
            end, _ = differences(readings, quantity)
            rows[name, symbol] = apart | {"mean": end.value, "low": end.interval.low, "high": end.interval.high}
    table, last = pd.DataFrame.from_dict(rows, orient="index"), ["mean", "low", "high"]
    return table[[*table.columns.drop(last), *last]]  # a table with more seeds may come later


def chain(readings: pd.DataFrame, quantity: str) -> str:
    """Means over the seeds in the order of the labels, with their standard deviation: `0.97 ± 0.01 → 0.43 ± 0.05`."""
    table = by_seed(readings, quantity)
    spread = table.std(axis=1, ddof=1)
    each = [
        f"{mean:.3f}" + (f" ± {s:.3f}" if np.isfinite(s) else "")
        for mean, s in zip(table.mean(axis=1), spread, strict=True)
    ]
    return " → ".join(each)
