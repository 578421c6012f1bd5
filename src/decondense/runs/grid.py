"""A grid of training runs: which have a record, train those that have none, and check a record against this code."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from .. import records
from ..base import machine
from . import read, store, workers
from .configuration import Configuration
from .run import Run

CHECK_MU, CHECK_LOSS = 0.01, 0.02  # tolerances of a check run: mean cosine, and loss in nats

Job = tuple[str, Configuration]  # label and run
TrainAll = Callable[[Sequence[Configuration]], None]  # as `workers.train_all`


def jobs(shared: Configuration, changes: Mapping[str, dict], seeds: Sequence[int]) -> list[Job]:
    """The label and the configuration of each run: one for each label and seed, in that order.

    shared
        What all of them do.
    changes
        For each label what it changes.

    The model before training (a change to 0 steps) does not depend on the seed of the data, and comes once.

    Raises
        ValueError: no step in `shared`; a change that no run knows, or a value that none can have.
    """
    if shared.steps == 0:
        raise ValueError("steps must be above 0, got 0.")
    every = [(label, shared.changed(**change, seed=seed)) for label, change in changes.items() for seed in seeds]
    return [(label, config) for label, config in every if config.steps or config.seed == seeds[0]]


def runs(shared: Configuration, changes: Mapping[str, dict], seeds: Sequence[int], committed: bool = True) -> list[Run]:
    """One run for each label and seed: read where there is a record, else trained, several at a time.

    Runs with the same seed see the same batches in the same order.

    committed
        Take records that the repository keeps, where they are of the same configuration.

    Raises
        ValueError: as `jobs`; what `DispersionTrainer`, `models.load`, `corpora.load` raise.
        RuntimeError: a training process failed; its last line says why.
    """
    return made(jobs(shared, changes, seeds), committed)


def made(asked: Sequence[Job], committed: bool = True, train_all: TrainAll | None = None) -> list[Run]:
    """The runs of these jobs, in their order; arguments and errors as for `runs`.

    train_all
        What trains those without a record: `workers.train_all`, on this machine, if `None`; see `cluster`.
    """
    train_missing([config for _, config in asked], committed, train_all)
    return [Run(label, config.seed, store.find(config, committed)) for label, config in asked]


def train_missing(configs: Sequence[Configuration], committed: bool, train_all: TrainAll | None = None) -> None:
    """Train what has no record; the largest models first, so that the small ones fill the end."""
    if missing := missing_of(configs, committed):
        for one in {_what_is_prepared(config): config for config in missing}.values():
            one.prepare()
        missing.sort(key=lambda config: config.parameters(), reverse=True)
        (train_all or workers.train_all)(missing)


def missing_of(configs: Sequence[Configuration], committed: bool) -> list[Configuration]:
    """The configurations without a record, each once."""
    return [config for config in unique(configs) if store.find(config, committed) is None]


def unique(configs: Sequence[Configuration]) -> list[Configuration]:
    """Each run once."""
    return list({_key(config.as_dict()): config for config in configs}.values())


def _key(config: dict) -> str:
    return json.dumps(config, sort_keys=True)


def _what_is_prepared(config: Configuration) -> str:
    names = ("model", "tokenizer", "train_tokens", "corpus", "sources", "distillation")
    # Of a corpus that is read row by row only as many tokens are prepared as a run reads.
    return _key({name: getattr(config, name, None) for name in names} | {"tokens": config.needs})


def origin(runs: Sequence[Run]) -> pd.DataFrame:
    """Where runs come from: one row for each machine and commit that made some, and whether they are committed."""
    rows = []
    for run in runs:
        made = run.record.content["provenance"]
        where = made["hardware"]["gpu"] or f"{made['hardware']['cores']} cores, {made['hardware']['system']}"
        kept = "committed record" if records.is_committed(run.record) else "this run"
        rows.append((kept, made["utc"][:10], (made["git_commit"] or "")[:7], where, made["packages"]["torch"]))
    columns = ["from", "made on", "commit", "machine", "torch"]
    counted = pd.DataFrame(rows, columns=columns).value_counts().rename("runs").reset_index()
    return counted.set_index("from").rename_axis(index=None, columns="from")  # one line of heads, no numbered rows


def check_run(run: Run, steps: int) -> pd.DataFrame:
    """The first steps of a run made again now, beside its record: is the record what this code gives?

    A run of several processes is made in one, with as many batches accumulated.

    One row a quantity: whether the corpus is another one (0 or 1; the documentation of another Python is), the geometry
    before the first step (largest difference over the entries), and the losses logged in these steps; with the
    tolerance and whether they agree. The tolerance leaves room for another processor.

    Raises
        ValueError: nothing is logged in so few steps.
    """
    config = read(run.config, run.record.path.name).changed(stop_after=steps, checkpoints=1, tasks={}, elsewhere=())
    if together := run.config.get("processes"):
        config = config.changed(processes=1, accumulation=config.accumulation * together)
    (now,) = made([(run.label, config)], committed=False)
    if not now.results["curve"]:
        raise ValueError(f"Nothing is logged in {steps} steps. Check {config.logging_steps} or more.")
    other = now.results["corpus"]["sha256"] != run.results["corpus"]["sha256"]
    rows = [("another corpus", 0.0, float(other), 0.0)]
    rows += [("mu before training", 0.0, float(np.abs(now.mu[0] - run.mu[0]).max()), CHECK_MU)]
    for there, here in zip(run.results["curve"], now.results["curve"], strict=False):
        for name in (key for key in there if key.startswith("loss_")):
            rows.append((f"{name}, step {there['step']}", there[name], here[name], CHECK_LOSS))
    return records.beside_record(rows)


class Estimate(NamedTuple):
    """Hours, and whether all of them follow from finished runs of the same model."""

    hours: float
    measured: bool


def plan(shared: Configuration, changes: Mapping[str, dict], seeds: Sequence[int]) -> pd.Series:
    """What `runs` with the same arguments would do, before it starts: runs, those to train, their tokens and hours."""
    return planned([config for _, config in jobs(shared, changes, seeds)])


def planned(configs: Sequence[Configuration], at_once: int | None = None) -> pd.Series:
    """What training these would take, as in `plan`.

    at_once
        Runs that are trained side by side: their `cost` is divided by it. `None`: as many as fit here.
    """
    missing = missing_of(configs, committed=True)
    if missing:
        largest = max(config.parameters() for config in missing)
        at_once = min(len(missing), at_once or workers.side_by_side(largest))
    known = cost(missing).hours / (at_once or 1)
    tokens = sum(config.tokens for config in missing)
    counts = {"runs": len(unique(configs)), "to train": len(missing), "tokens": tokens}
    return pd.Series(counts | {"hours, about": round(known, 2)}, dtype=object)  # so that counts stay whole numbers


def cost(configs: Sequence[Configuration]) -> Estimate:
    """GPU-hours of runs; without a GPU core-hours, each run on one core beside others.

    Measured, where a run of the same model was finished on such a device (`seconds_a_token`). Else 6 x parameters x
    tokens at 40 % of the bfloat16 matrix rate of this machine, measured now. That is meant for large models on a GPU,
    and several times too low for the pocket models on a CPU. NaN where neither is known: jobs for GPUs, planned on a
    machine without one.
    """
    like: dict[str, list[Configuration]] = {}
    for config in configs:
        if config.tokens:
            like.setdefault(_model(config.as_dict()), []).append(config)
    counts = [sum(config.tokens for config in group) for group in like.values()]
    seconds = [seconds_a_token(group[0]) for group in like.values()]
    guessed = [each or _guess(group[0]) for each, group in zip(seconds, like.values(), strict=True)]
    return Estimate(float(np.dot(counts, guessed)) / 3600, all(seconds))


def _guess(config: Configuration) -> float:
    if store.device() == "cuda" and not torch.cuda.is_available():
        return float("nan")
    parameters = config.parameters()
    sharing = 1 if torch.cuda.is_available() else workers.side_by_side(parameters)
    return 6.0 * parameters * sharing / (0.4 * matrix_rate())


def seconds_a_token(config: Configuration) -> float | None:
    """Of the longest finished runs of the same model on such a device, their median; `None` without one."""
    model = _model(config.as_dict())
    like = [run for run in _finished(config.name.rpartition("-")[0]) if _model(run["config"]) == model]
    took = [
        (run["results"]["tokens"], run["provenance"]["seconds"] * run["config"].get("processes", 1)) for run in like
    ]
    longest = max((tokens for tokens, _ in took), default=0)
    return float(np.median([seconds for tokens, seconds in took if tokens == longest])) / longest if longest else None


def _finished(prefix: str) -> list[dict]:
    """The records of whole runs whose name begins so, on such a device: this GPU, or any if there is none here."""
    here = machine.gpu()
    paths = [path for folder in (records.committed_folder(), records.folder()) for path in folder.glob(f"{prefix}-*")]
    found = [records.read(path) for path in paths if path.suffix == ".json"]
    whole = [record.content for record in found if record and not record.content["config"].get("stop_after")]
    gpu = lambda run: run["provenance"]["hardware"]["gpu"]
    return [run for run in whole if (gpu(run) == here if here or store.device() == "cpu" else gpu(run))]


def _model(config: dict) -> str:
    return _key({name: config.get(name) for name in ("model", "shape")})


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
