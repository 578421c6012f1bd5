"""An item of training runs: planned, tuned, trained run by run until the time is up, and read."""

import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch

from ..chapters.anticollapse import training as one_loss
from ..paper import gpu
from ..runs import readings, store, tuning
from ..runs.grid import Job
from ..runs.items import TUNING_SEED, Runs
from ..runs.run import Run
from . import plan as plans
from . import step_times
from .plan import Plan

Say = Callable[[str], None]


class OutOfTime(Exception):
    """The time is up in the middle of a run: it goes on from the state that it saved last."""


def make(item: Runs, out: Path, tiny: bool, seconds: float, say: Say) -> bool:
    """Train what has no record until `seconds` are over; whether all of the item is done.

    Raises
        What `plan.read`, `plan.made` and `store.train` raise.
    """
    end = time.monotonic() + seconds
    if not tiny:
        plans.check_design(item)
    path = plans.path_of(out, item.name, tiny)
    plan = plans.read(path, item)
    if plan is None:
        plan = plans.made(item, seconds)
        plans.write(path, plan)
    say(described(item, plan))
    times = step_times.measured(item, tiny) if item.longer else None
    tried: list[Run] = []
    runs: list[Run] = []
    try:
        for part in item.in_order():
            tried += (short := _trained(trials(part, plan), end))
            runs += _trained(jobs(part, plan, short), end)
    except OutOfTime:
        done, every = counts(item, plan)
        say(f"{item.name}: the time is up, {done} of {every} runs are done. The same command goes on.")
        return False
    for line in at_the_edge(item, tried):
        say(line)
    say(f"{item.name}: all {sum(counts(item, plan)[1:])} runs are done.")
    say(summary(item, runs).to_string())
    if times:
        say(f"validation loss at equal time:\n{one_loss.in_equal_time(runs, times).to_string()}")
    return True


def described(item: Runs, plan: Plan) -> str:
    """The plan in one line: tokens and seeds, from which rate, and whether a verdict may be taken."""
    a_step = plans.tokens_of_step(item.shared)
    speed = {label: f"{a_step / rate.step:,.0f}" for label, rate in plan.rates.items()}
    said = f"{item.name} on {plan.machine}: {plan.steps:,} steps ({plan.steps * a_step:,} tokens) a run, "
    said += f"{len(plan.seeds)} of {len(item.seeds)} seeds"
    said += f", {len(item.changes)} conditions one after the other" if item.one_by_one else ""
    said += "; measured, tokens a second: "
    said += ", ".join(f"{label} {rate}" for label, rate in speed.items())
    return said + ("" if len(plan.seeds) == len(item.seeds) else "; fewer seeds than designed: no verdict")


def trials(item: Runs, plan: Plan) -> list[Job]:
    """The short runs that choose the rate of each label that is tuned."""
    trial = item.shared.changed(steps=plan.tuning_steps or 1, seed=TUNING_SEED, checkpoints=1)
    tried = one_loss.candidates(item.tuned, item.weights) or item.tuned
    return [
        (label, trial.changed(**change | {"learning_rate": rate}))
        for label, change in tried.items()
        for rate in item.rates
    ]


def chosen(item: Runs, tried: Sequence[Run]) -> dict[str, dict]:
    """The changes of each label, with the rate and the weight that its short runs chose."""
    if item.weights:
        return item.changes | one_loss.at_best(tried, item.tuned, item.weights)
    return item.changes | tuning.at_best_rate(tried, item.tuned)


def jobs(item: Runs, plan: Plan, tried: Sequence[Run]) -> list[Job]:
    """All labels of the first seed, then of the next: what is done when the time is up are whole seeds."""
    changes = chosen(item, tried)
    changes |= one_loss.longer(next(iter(changes.values())), [round(times * plan.steps) for times in item.longer])
    usual = {"steps": plan.steps}
    asked = [(label, usual | change | {"seed": seed}) for seed in plan.seeds for label, change in changes.items()]
    return [(label, item.shared.changed(**change)) for label, change in asked]


def at_the_edge(item: Runs, tried: Sequence[Run]) -> list[str]:
    """A line for each label whose best rate is the lowest or the highest of those tried: a better one may be beyond."""
    ends = (min(item.rates, default=None), max(item.rates, default=None))
    found = {label: change.get("learning_rate") for label, change in chosen(item, tried).items() if label in item.tuned}
    return [
        f"{item.name}, {label}: the best rate, {rate:g}, is at the edge of those tried; a better one may lie beyond."
        for label, rate in found.items()
        if rate in ends and len(item.rates) > 2  # of two both are edges
    ]


def counts(item: Runs, plan: Plan) -> tuple[int, int]:
    """(runs with a record, all runs)."""
    of_parts = [_counts(part, plan) for part in item.in_order()]
    return sum(done for done, _ in of_parts), sum(every for _, every in of_parts)


def _counts(item: Runs, plan: Plan) -> tuple[int, int]:
    short = trials(item, plan)
    every = len(short) + len(plan.seeds) * (len(item.changes) + len(item.longer))
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


def summary(item: Runs, runs: Sequence[Run]) -> pd.DataFrame:
    """What `gpu.table` shows, the primary endpoint of the design first; and the rates that were chosen."""
    rates = pd.Series({run.label: f"{readings.learning_rate(run):g}" for run in runs})
    return gpu.table(item.name, runs).assign(**{"learning rate": rates}).fillna("")
