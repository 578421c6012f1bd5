"""Training runs side by side, each worker a process of its own.

`python -m decondense.runs.workers` is such a process: it makes one run for each configuration on its standard input.
"""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from tempfile import TemporaryFile

import psutil
import torch
from tqdm import tqdm

from ..base import machine
from . import read, store
from .configuration import Configuration

BYTES_PER_PARAMETER = 30  # weights, gradients, Adam's two moments, copies in bfloat16, and activations


def train_all(configs: Sequence[Configuration]) -> None:
    """Train in processes of one thread each: as fast together as one with many, and the same sums with any number.
    With GPUs one process a GPU.

    How many fit into memory beside each other depends on the largest model.

    Raises
        RuntimeError: a run failed; its last line says why. The records of those that are done stay.
    """
    waiting, children = deque(configs), []
    workers = min(side_by_side(max(config.parameters() for config in configs)), len(configs))
    runs = f"train {len(configs)} run{'s'[: len(configs) - 1]}"
    with ThreadPoolExecutor(workers) as pool, tqdm(total=sum(map(_steps, configs)), desc=runs, unit="step") as bar:
        try:
            working = [pool.submit(_work, waiting, children, bar, number) for number in range(workers)]
            for done in as_completed(working):
                done.result()
        except BaseException:  # an error, or Ctrl-C: the runs that are not done are lost, nobody waits for them
            waiting.clear()
            for child in children:
                child.kill()
            raise


def _steps(config: Configuration) -> int:
    return min(config.steps, config.stop_after or config.steps)


def _work(waiting: deque, children: list, bar: tqdm, number: int) -> None:
    """Give one process run after run: importing everything takes longer than training a pocket model."""
    own = {"CUDA_VISIBLE_DEVICES": _gpus()[number]} if torch.cuda.is_available() else {"OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | own}
    command = [sys.executable, "-m", "decondense.runs.workers"]
    with TemporaryFile("w+") as said, subprocess.Popen(command, stderr=said, **pipes) as child:
        children.append(child)
        while waiting:
            with suppress(IndexError):  # another worker took the last one
                _one(waiting.popleft(), child, said, bar)


def _gpus() -> list[str]:
    """The names by which a child sees them, one a GPU that this process sees."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]


def _one(config: Configuration, child: subprocess.Popen, said, bar: tqdm) -> None:
    with suppress(BrokenPipeError):
        child.stdin.write(json.dumps(config.as_dict()) + "\n")
        child.stdin.flush()
    done = 0
    while (answer := child.stdout.readline()).strip().isdigit():  # a step, of a run that may go on after a kill
        bar.update(int(answer) - done)
        done = int(answer)
    if not answer:
        said.seek(0)
        last = (said.read().strip().splitlines() or ["it said nothing, maybe for want of memory"])[-1]
        raise RuntimeError(f"A training run failed ({config.name}, seed {config.seed}): {last}")
    bar.update(_steps(config) - done)


def side_by_side(parameters: int) -> int:
    """How many runs fit beside each other: one a GPU; without GPUs one a core, as memory allows."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    fit = int(psutil.virtual_memory().available / (BYTES_PER_PARAMETER * parameters))
    return max(1, min(machine.cores(), fit))


def main() -> None:
    """The child process: one run for each line of standard input; it answers with the steps done, and then `done`.

    Where nobody reads the answers any more, the next one ends it: a killed parent leaves no run behind.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # the Trainer prints
    for line in sys.stdin:
        store.train(read(json.loads(line)), lambda step: print(step, file=answers, flush=True))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
