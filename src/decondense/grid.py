"""A grid of training runs: which have a record, train those that have none, and check a record against this code.

What kind of runs they are, `midtraining` and `pretraining` say.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from . import records, workers
from .run import Run

CHECK_MU, CHECK_LOSS = 0.01, 0.02  # tolerances of a check run: mean cosine, and loss in nats


class Kind(NamedTuple):
    """One kind of training run.

    `module` names the module whose `train(config)` makes a run and its record, `find(config, committed)` gives that
    record or `None`, `prepare(config)` makes what several processes need and only one should make, and
    `parameters(config)` counts the model's.
    """

    module: str
    find: Callable[[dict, bool], records.Record | None]
    prepare: Callable[[dict], None]
    parameters: Callable[[dict], int]


def runs(kind: Kind, jobs: Iterable[tuple[str, dict]], committed: bool) -> list[Run]:
    """One run for each (label, configuration): read where there is a record, else trained, several at a time.

    Raises
        RuntimeError: a training process failed; its last line says why.
    """
    jobs = list(jobs)
    train_missing(kind, [config for _, config in jobs], committed)
    return [Run(label, config["seed"], kind.find(config, committed)) for label, config in jobs]


def train_missing(kind: Kind, configs: Sequence[dict], committed: bool) -> None:
    """Train what has no record; the largest models first, so that the small ones fill the end."""
    missing = list(_missing(kind, configs, committed))
    if missing:
        for shape in {_key(_what_is_prepared(config)): config for config in missing}.values():
            kind.prepare(shape)
        missing.sort(key=kind.parameters, reverse=True)
        workers.train_all(missing, kind.parameters(missing[0]), kind.module)


def _missing(kind: Kind, configs: Sequence[dict], committed: bool) -> Iterable[dict]:
    unique = {_key(config): config for config in configs}.values()
    return [config for config in unique if kind.find(config, committed) is None]


def _key(config: dict) -> str:
    return json.dumps(config, sort_keys=True)


def _what_is_prepared(config: dict) -> dict:
    names = ("model", "tokenizer", "train_tokens", "corpus", "tokens", "sources", "distillation")
    return {name: config[name] for name in names if name in config}


def origin(runs: Sequence[Run]) -> pd.DataFrame:
    """Where runs come from: one row for each machine and commit that made some, and whether they are committed."""
    rows = []
    for run in runs:
        made = run.record.content["provenance"]
        machine = made["hardware"]["gpu"] or f"{made['hardware']['cores']} cores, {made['hardware']['system']}"
        kept = "committed record" if records.is_committed(run.record) else "this run"
        rows.append((kept, made["utc"][:10], (made["git_commit"] or "")[:7], machine, made["packages"]["torch"]))
    columns = ["from", "made on", "commit", "machine", "torch"]
    return pd.DataFrame(rows, columns=columns).value_counts().rename("runs").reset_index()


def check_run(kind: Kind, run: Run, steps: int) -> pd.DataFrame:
    """The first steps of a run made again now, beside its record: is the record what this code gives?

    A run of several processes is made in one, with as many batches accumulated.

    One row a quantity: whether the corpus is another one (0 or 1; the documentation of another Python is), the geometry
    before the first step (largest difference over the entries), and the losses logged in these steps; with the
    tolerance and whether they agree. The tolerance leaves room for another processor.

    Raises
        ValueError: nothing is logged in so few steps.
    """
    config = run.record.content["config"] | {"stop_after": steps, "checkpoints": 1, "tasks": {}}
    if together := config.pop("processes", None):
        config["accumulation"] *= together
    train_missing(kind, [config], committed=False)
    now = Run(run.label, run.seed, kind.find(config, False))
    if not now.results["curve"]:
        raise ValueError(f"Nothing is logged in {steps} steps. Check {config['logging_steps']} or more.")
    other = now.results["corpus"]["sha256"] != run.results["corpus"]["sha256"]
    rows = [("another corpus", 0.0, float(other), 0.0)]
    rows += [("mu before training", 0.0, float(np.abs(now.mu[0] - run.mu[0]).max()), CHECK_MU)]
    for there, here in zip(run.results["curve"], now.results["curve"], strict=False):
        for name in (key for key in there if key.startswith("loss_")):
            rows.append((f"{name}, step {there['step']}", there[name], here[name], CHECK_LOSS))
    table = pd.DataFrame(rows, columns=["quantity", "record", "now", "tolerance"])
    return table.assign(agrees=(table.record - table.now).abs() <= table.tolerance)


def plan(kind: Kind, configs: Sequence[dict]) -> pd.Series:
    """What `runs` would do, before it starts: runs, those to train, their tokens and hours.

    The hours are 6 x parameters x tokens at 40 % of the bfloat16 matrix rate of this machine, measured now: those of
    one GPU where there is one, so GPU-hours of a run in many processes.
    """
    unique = {_key(config): config for config in configs}
    missing = _missing(kind, configs, committed=True)
    operations = sum(6.0 * tokens(config) * kind.parameters(config) for config in missing)
    hours = operations / (0.4 * matrix_rate()) / 3600 if missing else 0.0
    counts = {"runs": len(unique), "to train": len(missing), "tokens": sum(map(tokens, missing))}
    return pd.Series(counts | {"hours, about": round(hours, 2)})


def tokens(config: dict) -> int:
    """Tokens that a run sees, in all its processes together."""
    return (
        config.get("processes", 1) * config["steps"] * config["batch_size"] * config["accumulation"] * config["length"]
    )


def matrix_rate(n: int = 1024, rounds: int = 5) -> float:
    """Floating-point operations a second in a bfloat16 matrix product on all cores, or the GPU."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.randn(n, n, dtype=torch.bfloat16, device=device)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the GPU
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)
