"""What choosing each run's best checkpoint on the test benchmarks does to a mean and to its spread, by simulation.

A run's checkpoints are taken as equally good on the whole: their task accuracies differ by independent normal noise. So
whatever the choice adds is not skill. The released table script of the paper makes this choice among five checkpoints;
whether the printed tables were made so is not known.
"""

from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import ttest_ind_from_stats

from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, SEEDS, TASKS
from ...paper.rounding import HALF
from ...stats import Interval

CHECKPOINTS = 5  # in the released scripts


class Choice(NamedTuple):
    """The effect of the choice on the average of a run, in the units of the spreads."""

    shift: float  # mean of the chosen average; 0 without a choice
    spread: float  # standard deviation of the chosen average from run to run
    before: float  # the same of a checkpoint that nobody chose


class SpreadTest(NamedTuple):
    """Mean over rows of (spread of the average / that of independent tasks)^2: printed, and simulated."""

    observed: float  # mean over the roundings
    within_rounding: Interval  # 95 % of the roundings
    expected: float
    interval: Interval  # 95 % of simulated tables
    p: float  # two-sided, mean over the roundings


def chosen_runs(
    spreads: Float[np.ndarray, "tasks"], checkpoints: int, shared: float, shape: tuple[int, ...], rng
) -> Float[np.ndarray, "... tasks"]:
    """Task accuracies (around 0) of the checkpoint with the best average, for `shape` many runs.

    spreads
        Standard deviation of each task; the tasks are independent.
    shared
        Share of the variance that the checkpoints of one run have in common; the rest is new at each checkpoint.
    checkpoints
        1 chooses nothing.

    Raises
        ValueError: fewer than one checkpoint, or a share outside [0, 1].
    """
    if checkpoints < 1 or not 0 <= shared <= 1:
        raise ValueError("Give at least one checkpoint, and a shared part of the variance in [0, 1].")
    common = rng.normal(size=(*shape, 1, len(spreads)))
    own = rng.normal(size=(*shape, checkpoints, len(spreads)))
    noise = (np.sqrt(shared) * common + np.sqrt(1 - shared) * own) * spreads
    best = noise.mean(-1).argmax(-1)
    return np.take_along_axis(noise, best[..., None, None], axis=-2)[..., 0, :]


def effect(
    spreads: Sequence[float] | np.ndarray,
    checkpoints: int = CHECKPOINTS,
    shared: float = 0.0,
    simulations: int = 10_000,
    seed: int = 0,
) -> Choice:
    """Shift and spread of the average of the chosen checkpoint, over simulated runs."""
    spreads = np.asarray(spreads, dtype=float)
    rng = np.random.default_rng(seed)
    chosen = chosen_runs(spreads, checkpoints, shared, (simulations,), rng).mean(-1)
    return Choice(float(chosen.mean()), float(chosen.std()), float(np.sqrt((spreads**2).sum()) / len(spreads)))


def effects(simulations: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """`effect` for each base model, with the spreads of the tasks in its dispersion row, in points of the average."""
    rows = {}
    for model in MID_TRAINED:
        spreads = accuracies.mid_trained("std").loc[(model, "dispersion"), list(TASKS)].to_numpy(float)
        for shared in (0.0, 0.5):
            found = effect(spreads, shared=shared, simulations=simulations, seed=seed)
            rows[model, shared] = found._asdict() | {"ratio": found.spread / found.before}
    return pd.DataFrame(rows).T.rename_axis(["model", "shared"])


def by_checkpoints(most: int = 10, simulations: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Shift and spread by the number of checkpoints and the shared part, in spreads of an unchosen checkpoint."""
    tasks = np.ones(len(TASKS))
    rows = [
        {"checkpoints": n, "shared": shared, "shift": found.shift / found.before, "spread": found.spread / found.before}
        for shared in (0.0, 0.5)
        for n in range(1, most + 1)
        for found in [effect(tasks, n, shared, simulations, seed)]
    ]
    return pd.DataFrame(rows)


def false_positives(
    noise: Sequence[Real], checkpoints: int = CHECKPOINTS, simulations: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Two equally good conditions, three seeds each, the second with `noise` times the first's noise of checkpoints.

    By noise: the mean difference of the averages in spreads of an unchosen checkpoint of the first, and the share of
    Student's t-tests with p < 0.05, and with p < 0.05 in favour of the second.
    """
    rows, rng, tasks = {}, np.random.default_rng(seed), np.ones(len(TASKS))
    shape, unit = (simulations, SEEDS), np.sqrt(len(TASKS))
    for factor in noise:
        a, b = (chosen_runs(f * tasks, checkpoints, 0.0, shape, rng).mean(-1) * unit for f in (1.0, factor))
        summary = [(x.mean(1), x.std(1, ddof=1), SEEDS) for x in (b, a)]
        test = ttest_ind_from_stats(*summary[0], *summary[1])
        found = test.pvalue < 0.05
        better = found & (test.statistic > 0)
        rows[factor] = {"difference": (b - a).mean(), "found": found.mean(), "better": better.mean()}
    return pd.DataFrame(rows).T.rename_axis("noise")


def spread_test(
    rows: pd.DataFrame, checkpoints: int = 1, shared: float = 0.0, simulations: int = 2000, seed: int = 0
) -> SpreadTest:
    """Do the spreads of the averages fit those of the tasks, if tasks vary independently and a checkpoint is chosen?

    rows
        Printed spreads: one column per task, and `average`. Each row is simulated with its own spreads of the tasks and
        three seeds, and the ratio of the two variances is averaged over the rows.

    Each printed spread stands for the values that round to it. They are drawn evenly from there, each by itself, so
    often as tables are simulated; p is the mean over these draws of the two-sided p-value of each.
    """
    rng, tasks, averages = (
        np.random.default_rng(seed),
        rows[list(TASKS)].to_numpy(float),
        rows["average"].to_numpy(float),
    )
    true = [np.maximum(rng.uniform(x - half, x + half, (simulations, *x.shape)), 0)
            for x, half in ((averages, 0.005), (tasks, HALF))]  # fmt: skip
    observed = np.mean(true[0] ** 2 * len(TASKS) ** 2 / (true[1] ** 2).sum(-1), axis=-1)
    simulated = np.zeros(simulations)
    for row in tasks:
        runs = chosen_runs(row, checkpoints, shared, (simulations, SEEDS), rng)
        simulated += runs.mean(-1).var(1, ddof=1) * len(row) ** 2 / runs.var(1, ddof=1).sum(-1) / len(tasks)
    simulated.sort()
    below, above = np.searchsorted(simulated, observed, "right"), np.searchsorted(simulated, observed, "left")
    tail = np.minimum(below, simulations - above)
    p = np.minimum(1.0, 2 * (tail + 1) / (simulations + 1)).mean()  # a finite simulation never shows 0
    spans = (Interval(*(float(q) for q in np.quantile(x, [0.025, 0.975]))) for x in (observed, simulated))
    return SpreadTest(float(observed.mean()), next(spans), float(simulated.mean()), next(spans), float(p))


def spread_tests(simulations: int, seed: int = 0) -> dict[int, SpreadTest]:
    """`spread_test` of all printed rows that have a spread, without a choice and with one: by number of checkpoints."""
    rows = accuracies.wide("std").dropna(subset=["average"])
    return {n: spread_test(rows, n, simulations=simulations, seed=seed) for n in (1, CHECKPOINTS)}
