"""One training run of the book: a model by name, a condition, and the record of loss, geometry and benchmarks.

`python -m decondense.midtraining` is a process that makes one such run for each configuration on its standard input.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from . import (
    benchmarks,
    corpora,
    evaluate,
    hooks,
    losses,
    measurement,
    metrics,
    models,
    packing,
    pairwise,
    pocket,
    pocket_tasks,
    records,
    sequences,
    trainers,
    training,
)
from .files import cache_dir, sha256

_MODULES = (
    benchmarks, corpora, evaluate, hooks, losses, measurement, metrics, models, packing, pairwise, pocket, pocket_tasks,
    sequences, trainers, training,
)  # fmt: skip
CODE = [*(Path(module.__file__) for module in _MODULES), Path(__file__)]

# The eight conditions of Table 2: what each changes in a run. `none` is the model before training.
CONDITIONS: dict[str, dict] = {
    "none": {"steps": 0},
    "train": {},
    "noisy_embedding": {"noise_alpha": 1.0},
    "active_forgetting": {"forgetting": True},
    "decorrelation": {"loss": "decorrelation_tokens"},  # the form of the released code, which made the rows of Table 2
    "l2_repel": {"loss": "l2_repel"},
    "orthogonalization": {"loss": "orthogonalization"},
    "dispersion": {"loss": "dispersion"},
}
BYTES_PER_PARAMETER = 30  # weights, gradients, Adam's two moments, copies in bfloat16, and activations


def setup(
    model: str,
    corpus: str,
    *,
    steps: int,
    batch_size: int = 8,
    accumulation: int = 1,
    length: int = 128,
    learning_rate: float = 5e-5,
    checkpoints: int = 5,
    texts: int = 8,
    text_length: int = 256,
    held_out: int = 64,
    tasks: Mapping[str, int | None] | None = None,
    few_shot: int = 1,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
) -> dict:
    """What the runs of one experiment share, with the defaults of the paper for what is not asked.

    steps, batch_size, accumulation, length
        Tokens seen: steps x batch_size x accumulation x length.
    checkpoints
        The geometry is measured before the first step and then this many times, at equal distances, on `texts`
        held-out windows of `text_length` tokens.
    held_out
        Windows of `length` tokens that give the validation loss, before and after.
    tasks, few_shot
        For each benchmark the limit on its items (`None`: all), as in `evaluate.evaluate`; scored after the last step.

    Raises
        ValueError: a number that is not positive, more checkpoints than steps.
    """
    config = dict(locals())
    for name in ("steps", "batch_size", "accumulation", "length", "checkpoints", "texts", "held_out", "learning_rate"):
        if config[name] <= 0:
            raise ValueError(f"{name} must be above 0, got {config[name]}.")
    if checkpoints > steps:
        raise ValueError(f"{checkpoints} checkpoints in {steps} steps: give at least as many steps.")
    trained = {"train_tokens": config.pop("train_tokens")} if model in pocket.SIZES else {}
    config.pop("train_tokens", None)
    return config | trained | {"tasks": dict(tasks or {}), "sources": list(sources)}


@dataclass(frozen=True)
class Run:
    """One finished run. Entry l = 0..L as in `decondense.hooks`, checkpoint 0 before the first step."""

    label: str
    seed: int
    record: records.Record

    @property
    def results(self) -> dict:
        return self.record.content["results"]

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.record.arrays) as file:
            return {name: file[name] for name in file.files}

    @property
    def mu(self) -> Float[np.ndarray, "checkpoints entries"]:
        """Mean cosine (diagonal included), mean over the texts."""
        return self._arrays["mu"].mean(1)

    @property
    def histogram(self) -> Float[np.ndarray, "checkpoints entries bins"]:
        """Densities of the cosines over [-1, 1], all texts pooled."""
        return self._arrays["histogram"]

    @property
    def late_half(self) -> float:
        """Mean cosine over the entries L // 2 + 1 .. L after the last step."""
        chosen = trainers.entries("late_half", self.mu.shape[1] - 1)
        return float(self.mu[-1, chosen].mean())

    @property
    def validation_loss(self) -> float:
        """Mean cross-entropy on the held-out windows after the last step, in nats a token."""
        return self.results["validation_loss"][-1]

    @property
    def evaluation(self) -> evaluate.Evaluation:
        """The benchmarks after the last step, item by item."""
        names = [name for name in self._arrays if name.startswith("item_")]
        import pandas as pd

        items = pd.DataFrame({name.removeprefix("item_"): self._arrays[name] for name in names})
        return evaluate.Evaluation(items, self.results["tasks"])


def runs(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int], committed: bool = True) -> list[Run]:
    """One run for each label and seed, in that order: read where there is a record, else trained, several at a time.

    shared
        From `setup`.
    changes
        For each label what it changes: keys of `setup` and of `CONDITIONS`, `weight`, `layers`, `temperature`.
    committed
        Take records that the repository keeps, where they are of the same configuration.

    Raises
        ValueError: a change that no run knows; what `DispersionTrainer`, `models.load`, `corpora.load` raise.
        RuntimeError: a training process failed; its last line says why.
    """
    jobs = [(label, configuration(shared | change, seed)) for label, change in changes.items() for seed in seeds]
    # The model before training does not depend on the seed of the data.
    jobs = [(label, config) for label, config in jobs if config["steps"] or config["seed"] == seeds[0]]
    missing = [config for _, config in jobs if _find(config, committed) is None]
    if missing:
        _prepare(missing[0])
        _run_in_processes(missing)
    return [Run(label, config["seed"], _find(config, committed)) for label, config in jobs]


def configuration(asked: dict, seed: int) -> dict:
    """The whole configuration of a run: what `setup` gave, the condition with its defaults, the seed.

    Raises
        ValueError: a key that no run knows.
    """
    condition = {
        "loss": None, "weight": 0.1, "layers": "all", "temperature": None, "subsample": 256, "noise_alpha": None,
        "forgetting": False, "stop_after": None,
    }  # fmt: skip
    known = set(condition) | set(setup("", "", steps=5)) | {"train_tokens"}
    for name in asked:
        if name not in known:
            raise ValueError(f"No run knows {name!r}. Known: {', '.join(sorted(known))}.")
    config = condition | asked | {"seed": seed}
    if config["loss"] is None:  # what has no effect is not part of the configuration
        config |= {"weight": None, "layers": None, "temperature": None, "subsample": None}
    return config


def _name(config: dict) -> str:
    kind = config["loss"] or ("train" if config["steps"] else "none")
    kind = "active_forgetting" if config["forgetting"] else "noisy_embedding" if config["noise_alpha"] else kind
    return f"midtraining-{config['model'].rstrip('/').split('/')[-1].lower()}-{kind}"


def _find(config: dict, committed: bool) -> records.Record | None:
    """The record of a run if there is one, without computing."""
    return records.find(_name(config), config, CODE, surroundings=_surroundings(), committed=committed)


def _surroundings() -> dict:
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "accelerate", "lm_eval")}
    return {"versions": versions, "device": "cuda" if torch.cuda.is_available() else "cpu"}


# --- several runs ---------------------------------------------------------------------------------------------------


def _prepare(config: dict) -> None:
    """What all processes need and only one should make: the pocket model, the corpus and its token stream."""
    if config["model"] in pocket.SIZES:
        pocket.train_missing([config["model"]], config["train_tokens"])
    corpus = corpora.load(config["corpus"], config["sources"])
    packing.stream(corpus, models.load_tokenizer(config["model"], config["sources"]))


def _run_in_processes(configs: Sequence[dict]) -> None:
    """Train in processes of one thread each: as fast together as one with many, and the same sums on any machine."""
    waiting, workers = deque(configs), min(_workers(configs), len(configs))
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(configs), desc="train", unit="run") as bar:
        try:
            for done in [pool.submit(_work, waiting, bar) for _ in range(workers)]:
                done.result()
        finally:
            waiting.clear()  # after an error or Ctrl-C the others stop with the run that they are at


def _work(waiting: deque, bar: tqdm) -> None:
    """Give one process run after run: importing everything takes longer than training a pocket model."""
    threads = {} if torch.cuda.is_available() else {"OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | threads}
    with TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "decondense.midtraining"]
        with subprocess.Popen(command, stderr=said, **pipes) as child:
            while waiting:
                config = waiting.popleft()
                with suppress(BrokenPipeError):
                    child.stdin.write(json.dumps(config) + "\n")
                    child.stdin.flush()
                if not child.stdout.readline():
                    said.seek(0)
                    last = (said.read().strip().splitlines() or ["it said nothing, maybe for want of memory"])[-1]
                    raise RuntimeError(f"The run {_name(config)}, seed {config['seed']}, failed: {last}")
                bar.update()


def _workers(configs: Sequence[dict]) -> int:
    """How many runs fit beside each other: one a core, as memory allows; one on a GPU."""
    import psutil

    if torch.cuda.is_available():
        return 1
    sizes = [models.table().get(config["model"], {}).get("parameters", 10_000_000) for config in configs]
    fit = int(psutil.virtual_memory().available / (BYTES_PER_PARAMETER * max(sizes)))
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, fit))


# --- one run --------------------------------------------------------------------------------------------------------


def train(config: dict) -> records.Record:
    """Train one run now, and write its record; a run that was killed goes on after its last saved checkpoint."""
    folder = cache_dir() / "midtraining" / f"{_name(config)}-{sha256(json.dumps(config, sort_keys=True))[:16]}"
    compute = lambda: training.train(config, folder)
    record = records.run(_name(config), config, compute, CODE, surroundings=_surroundings())
    shutil.rmtree(folder, ignore_errors=True)
    return record


def main() -> None:
    """The child process: one run for each line of standard input, one line of answer for each run."""
    answers, sys.stdout = sys.stdout, sys.stderr  # the Trainer prints
    for line in sys.stdin:
        train(json.loads(line))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
