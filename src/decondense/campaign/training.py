"""An item of training runs: planned, tuned, trained run by run until the time is up, and read."""

import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch

from ..runs import readings, store, tuning
from ..runs.grid import Job
from ..runs.run import Run
from . import plan as plans
from .items import Runs
from .plan import Plan

TUNING_SEED = 1000  # no run has it
Say = Callable[[str], None]
QUANTITIES = ("validation_loss", "late_half", "rho")


class OutOfTime(Exception):
    """The time is up in the middle of a run: it goes on from the state that it saved last."""


def make(item: Runs, out: Path, tiny: bool, seconds: float, say: Say) -> bool:
    """Train what has no record until `seconds` are over; whether all of the item is done.

    Raises
        What `plan.read`, `plan.made` and `store.train` raise.
    """
    end = time.monotonic() + seconds
    path = plans.path_of(out, item.name, tiny)
    plan = plans.read(path, item)
    if plan is None:
        plan = plans.made(item, seconds)
        plans.write(path, plan)
    say(described(item, plan))
    try:
        tried = _trained(trials(item, plan), end)
        runs = _trained(jobs(item, plan, tried), end)
    except OutOfTime:
        done, every = counts(item, plan)
        say(f"{item.name}: the time is up, {done} of {every} runs are done. The same command goes on.")
        return False
    for line in at_the_edge(item, tried):
        say(line)
    say(f"{item.name}: all {sum(counts(item, plan)[1:])} runs are done.")
    say(summary(runs).to_string())
    return True


def described(item: Runs, plan: Plan) -> str:
    """The plan in one line: tokens and seeds, from which rate, and whether a verdict may be taken."""
    a_step = plans.tokens_of_step(item.shared)
    speed = {label: f"{a_step / rate.step:,.0f}" for label, rate in plan.rates.items()}
    said = f"{item.name} on {plan.machine}: {plan.steps:,} steps ({plan.steps * a_step:,} tokens) a run, "
    said += f"{len(plan.seeds)} of {len(item.seeds)} seeds; measured, tokens a second: "
    said += ", ".join(f"{label} {rate}" for label, rate in speed.items())
    return said + ("" if len(plan.seeds) == len(item.seeds) else "; fewer seeds than designed: no verdict")


def trials(item: Runs, plan: Plan) -> list[Job]:
    """The short runs that choose the rate of each label that is tuned."""
    trial = item.shared.changed(steps=plan.tuning_steps or 1, seed=TUNING_SEED, checkpoints=1)
    return [
        (label, trial.changed(**change | {"learning_rate": rate}))
        for label, change in item.tuned.items()
        for rate in item.rates
    ]


def jobs(item: Runs, plan: Plan, tried: Sequence[Run]) -> list[Job]:
    """All labels of the first seed, then of the next: what is done when the time is up are whole seeds."""
    changes = item.changes | tuning.at_best_rate(tried, item.tuned)
    shared = item.shared.changed(steps=plan.steps)
    return [(label, shared.changed(**changes[label], seed=seed)) for seed in plan.seeds for label in item.changes]


def at_the_edge(item: Runs, tried: Sequence[Run]) -> list[str]:
    """A line for each label whose best rate is the lowest or the highest of those tried: a better one may be beyond."""
    found = {label: change["learning_rate"] for label, change in tuning.at_best_rate(tried, item.tuned).items()}
    ends = (min(item.rates, default=None), max(item.rates, default=None))
    return [
        f"{item.name}, {label}: the best rate, {rate:g}, is at the edge of those tried; a better one may lie beyond."
        for label, rate in found.items()
        if rate in ends
    ]


def counts(item: Runs, plan: Plan) -> tuple[int, int]:
    """(runs with a record, all runs)."""
    short = trials(item, plan)
    every = len(short) + len(plan.seeds) * len(item.changes)
    found = [store.find(config, False) for _, config in short]
    if None in found:
        return sum(record is not None for record in found), every
    tried = [Run(label, config.seed, record) for (label, config), record in zip(short, found, strict=True)]
    found += [store.find(config, False) for _, config in jobs(item, plan, tried)]
    return sum(record is not None for record in found), every


def _trained(asked: Sequence[Job], end: float) -> list[Run]:
    return [Run(label, config.seed, _record(config, end)) for label, config in asked]


def _record(config, end: float):
    if (found := store.find(config, False)) is not None:
        return found
    if time.monotonic() >= end:
        raise OutOfTime
    record = store.train(config, lambda step: _check(step, config.steps, end))
    if torch.cuda.is_available():
        gc.collect()  # a trainer and its model hold each other
        torch.cuda.empty_cache()
    return record


def _check(step: int, steps: int, end: float) -> None:
    if step < steps and time.monotonic() >= end:
        raise OutOfTime


def summary(runs: Sequence[Run]) -> pd.DataFrame:
    """Means over the seeds, a row a label; and last label minus first, with its 95 % interval where there are seeds."""
    table = readings.at_checkpoint(runs)
    means = table.groupby("label", sort=False)[["learning_rate", *QUANTITIES]].mean()
    apart = {name: readings.differences(table, name)[0] for name in QUANTITIES}
    means.loc["last minus first"] = pd.Series({name: found.value for name, found in apart.items()})
    for number, bound in enumerate(("low", "high")):
        means.loc[bound] = pd.Series({name: found.interval[number] for name, found in apart.items()})
    return means.rename(columns=readings.SYMBOLS)
