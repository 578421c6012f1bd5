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

from .. import records
from ..base import machine
from ..corpora import streams
from . import store, workers
from .run import Run

_MODEL = ("model", "shape")  # what names the model in a configuration
CHECK_MU, CHECK_LOSS = 0.01, 0.02  # tolerances of a check run: mean cosine, and loss in nats


class Kind(NamedTuple):
    """One kind of training run.

    `module` names the module whose `train(config)` makes a run and its record, `find(config, committed)` gives that
    record or `None`, `prepare(config)` makes what several processes need and only one should make,
    `parameters(config)` counts the model's, and `name(config)` is how the record's name begins.
    """

    module: str
    find: Callable[[dict, bool], records.Record | None]
    prepare: Callable[[dict], None]
    parameters: Callable[[dict], int]
    name: Callable[[dict], str] = lambda config: ""


Trainer = Callable[[Sequence[dict], int, str], None]  # as `workers.train_all`


def runs(kind: Kind, jobs: Iterable[tuple[str, dict]], committed: bool, train_all: Trainer | None = None) -> list[Run]:
    """One run for each (label, configuration): read where there is a record, else trained, several at a time.

    train_all
        What trains those without a record: `workers.train_all`, on this machine, if `None`; see `cluster`.

    Raises
        RuntimeError: a training process failed; its last line says why.
    """
    jobs = list(jobs)
    train_missing(kind, [config for _, config in jobs], committed, train_all)
    return [Run(label, config["seed"], kind.find(config, committed)) for label, config in jobs]


def train_missing(kind: Kind, configs: Sequence[dict], committed: bool, train_all: Trainer | None = None) -> None:
    """Train what has no record; the largest models first, so that the small ones fill the end."""
    if missing := missing_of(kind, configs, committed):
        for shape in {_key(_what_is_prepared(config)): config for config in missing}.values():
            kind.prepare(shape)
        missing.sort(key=kind.parameters, reverse=True)
        (train_all or workers.train_all)(missing, kind.parameters(missing[0]), kind.module)


def missing_of(kind: Kind, configs: Sequence[dict], committed: bool) -> list[dict]:
    """The configurations without a record, each once."""
    unique = {_key(config): config for config in configs}.values()
    return [config for config in unique if kind.find(config, committed) is None]


def _key(config: dict) -> str:
    return json.dumps(config, sort_keys=True)


def _what_is_prepared(config: dict) -> dict:
    names = ("model", "tokenizer", "train_tokens", "corpus", "sources", "distillation")
    # Of a corpus that is read row by row only as many tokens are prepared as a run reads.
    return {name: config[name] for name in names if name in config} | {"tokens": streams.needs(config)}


def origin(runs: Sequence[Run]) -> pd.DataFrame:
    """Where runs come from: one row for each machine and commit that made some, and whether they are committed."""
    rows = []
    for run in runs:
        made = run.record.content["provenance"]
        where = made["hardware"]["gpu"] or f"{made['hardware']['cores']} cores, {made['hardware']['system']}"
        kept = "committed record" if records.is_committed(run.record) else "this run"
        rows.append((kept, made["utc"][:10], (made["git_commit"] or "")[:7], where, made["packages"]["torch"]))
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
    return records.beside_record(rows)


class Cost(NamedTuple):
    """Hours, and whether all of them follow from finished runs of the same model."""

    hours: float
    measured: bool


def plan(kind: Kind, configs: Sequence[dict], at_once: int | None = None) -> pd.Series:
    """What `runs` would do, before it starts: runs, those to train, their tokens and hours.

    at_once
        Runs that are trained side by side: their `cost` is divided by it. `None`: as many as fit here.
    """
    unique = {_key(config): config for config in configs}
    missing = missing_of(kind, configs, committed=True)
    if missing:
        at_once = min(len(missing), at_once or workers.side_by_side(max(map(kind.parameters, missing))))
    known = cost(kind, missing).hours / (at_once or 1)
    counts = {"runs": len(unique), "to train": len(missing), "tokens": sum(map(tokens, missing))}
    return pd.Series(counts | {"hours, about": round(known, 2)}, dtype=object)  # so that counts stay whole numbers


def cost(kind: Kind, configs: Sequence[dict]) -> Cost:
    """GPU-hours of runs; without a GPU core-hours, each run on one core beside others.

    Measured, where a run of the same model was finished on such a device (`seconds_a_token`). Else 6 x parameters x
    tokens at 40 % of the bfloat16 matrix rate of this machine, measured now. That is meant for large models on a GPU,
    and several times too low for the pocket models on a CPU. NaN where neither can be had: jobs for GPUs, planned
    on a machine without one.
    """
    like: dict[str, list[dict]] = {}
    for config in configs:
        if tokens(config):
            like.setdefault(_key({name: config.get(name) for name in _MODEL}), []).append(config)
    seconds = [(sum(map(tokens, group)), seconds_a_token(kind, group[0])) for group in like.values()]
    known = [
        count * (each or _guess(kind, group[0])) for (count, each), group in zip(seconds, like.values(), strict=True)
    ]
    return Cost(sum(known) / 3600, all(each for _, each in seconds))


def _guess(kind: Kind, config: dict) -> float:
    if store.device() == "cuda" and not torch.cuda.is_available():
        return float("nan")
    parameters = kind.parameters(config)
    sharing = 1 if torch.cuda.is_available() else workers.side_by_side(parameters)
    return 6.0 * parameters * sharing / (0.4 * matrix_rate())


def seconds_a_token(kind: Kind, config: dict) -> float | None:
    """Of the longest finished runs of the same model on such a device, their median; `None` without one."""
    like = [run for run in _finished(kind.name(config).rpartition("-")[0]) if _same_model(run["config"], config)]
    cost = [
        (run["results"]["tokens"], run["provenance"]["seconds"] * run["config"].get("processes", 1)) for run in like
    ]
    longest = max((tokens for tokens, _ in cost), default=0)
    return float(np.median([seconds for tokens, seconds in cost if tokens == longest])) / longest if longest else None


def _finished(prefix: str) -> list[dict]:
    """The records of whole runs whose name begins so, on such a device: this GPU, or any if there is none here."""
    here = machine.gpu()
    paths = [path for folder in (records.committed_folder(), records.folder()) for path in folder.glob(f"{prefix}-*")]
    read = [records.read(path) for path in paths if path.suffix == ".json"]
    whole = [record.content for record in read if record and not record.content["config"].get("stop_after")]
    gpu = lambda run: run["provenance"]["hardware"]["gpu"]
    return [run for run in whole if (gpu(run) == here if here or store.device() == "cpu" else gpu(run))]


def _same_model(one: dict, other: dict) -> bool:
    return all(one.get(name) == other.get(name) for name in _MODEL)


def tokens(config: dict) -> int:
    """Tokens that a run sees, in all its processes together."""
    return (
        config.get("processes", 1) * config["steps"] * config["batch_size"] * config["accumulation"] * config["length"]
    )


def matrix_rate(n: int = 1024, rounds: int = 5) -> float:
    """Floating-point operations a second in a bfloat16 matrix product on all cores, or the GPU."""
    device = machine.device()
    a = torch.randn(n, n, dtype=torch.bfloat16, device=device)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the GPU
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)
