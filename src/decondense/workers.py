"""Training runs side by side, each worker a process of its own.

`python -m decondense.workers midtraining` is such a process: it makes one run of `midtraining.train` for each
configuration on its standard input.
"""

import importlib
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

BYTES_PER_PARAMETER = 30  # weights, gradients, Adam's two moments, copies in bfloat16, and activations


def train_all(configs: Sequence[dict], parameters: int, module: str = "midtraining") -> None:
    """Train in processes of one thread each: as fast together as one with many, and the same sums with any number.

    `parameters` of the model decide how many fit into memory beside each other; `module` has the `train` to call.

    Raises
        RuntimeError: a run failed; its last line says why. The records of those that are done stay.
    """
    waiting, children = deque(configs), []
    workers = min(_workers(parameters), len(configs))
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(configs), desc="train", unit="run") as bar:
        try:
            for done in as_completed([pool.submit(_work, waiting, children, bar, module) for _ in range(workers)]):
                done.result()
        except BaseException:  # an error, or Ctrl-C: the runs that are not done are lost, nobody waits for them
            waiting.clear()
            for child in children:
                child.kill()
            raise


def _work(waiting: deque, children: list, bar: tqdm, module: str) -> None:
    """Give one process run after run: importing everything takes longer than training a pocket model."""
    threads = {} if torch.cuda.is_available() else {"OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | threads}
    command = [sys.executable, "-m", "decondense.workers", module]
    with TemporaryFile("w+") as said, subprocess.Popen(command, stderr=said, **pipes) as child:
        children.append(child)
        while waiting:
            with suppress(IndexError):  # another worker took the last one
                _one(waiting.popleft(), child, said)
                bar.update()


def _one(config: dict, child: subprocess.Popen, said) -> None:
    with suppress(BrokenPipeError):
        child.stdin.write(json.dumps(config) + "\n")
        child.stdin.flush()
    if not child.stdout.readline():
        said.seek(0)
        last = (said.read().strip().splitlines() or ["it said nothing, maybe for want of memory"])[-1]
        what = f"{config.get('model') or config['experiment']}, loss {config['loss']}, seed {config['seed']}"
        raise RuntimeError(f"A training run failed ({what}): {last}")


def _workers(parameters: int) -> int:
    """How many runs fit beside each other: one a core, as memory allows; one on a GPU."""
    if torch.cuda.is_available():
        return 1
    fit = int(psutil.virtual_memory().available / (BYTES_PER_PARAMETER * parameters))
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, fit))


def main() -> None:
    """The child process: one run for each line of standard input, one line of answer for each run."""
    train = importlib.import_module(f".{sys.argv[1]}", __package__).train
    answers, sys.stdout = sys.stdout, sys.stderr  # the Trainer prints
    for line in sys.stdin:
        train(json.loads(line))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
