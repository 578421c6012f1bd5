"""Toy training runs, and the files in which any process can make them: a corpus, a tokenizer, a model, a file of runs.

The fixture `world` says where these files are; what is taken from it is looked up when a run is asked for.
"""

import itertools
import json
import multiprocessing
import os
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from toys import VOCABULARY, tiny

from decondense.condensation import Condensation
from decondense.runs import MidTraining, PreTraining, loop, read, store, watch, workers

GPT2 = {"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2}
SMALL = {"batch_size": 2, "length": 16, "learning_rate": 1e-2, "texts": 2, "text_length": 24, "held_out": 4}
DISPERSION = {"loss": "dispersion", "subsample": 8}
MARK = 123.0
WAIT = 300  # seconds for what another process does: a busy machine is no failure


def write_files(folder: Path, tokenizer) -> Path:
    """A corpus whose words differ in how often they come, so that a model learns in a few steps."""
    words = np.random.default_rng(0).geometric(0.1, (200, 40)) % (VOCABULARY - 1)
    rows = [{"text": " ".join(f"w{i}" for i in row)} for row in words]
    (folder / "imdb").mkdir()
    (folder / "imdb" / "test_3000.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tiny("gpt2").save_pretrained(folder / "gpt2-toy")
    tokenizer.save_pretrained(folder / "gpt2-toy")
    return folder


def toy_model() -> str:
    return str(Path(os.environ["DECONDENSE_DATA"]) / "gpt2-toy")


def mid(**changes) -> MidTraining:
    """Three steps from the weights of the toy model, or of the `model` that is named."""
    model = changes.pop("model", None) or toy_model()
    usual = {"corpus": "imdb", "sources": ["local"], "steps": 3, "checkpoints": 3, **SMALL}
    return MidTraining(model=model, **usual | changes)


def scratch(**changes) -> PreTraining:
    """Six steps from new weights, with the tokenizer of the toy model or the one that is named."""
    tokenizer = changes.pop("tokenizer", None) or toy_model()
    usual = {"corpus": "imdb", "sources": ["local"], "steps": 6, "checkpoints": 3, **SMALL}
    return PreTraining(experiment="toy", shape=changes.pop("shape", GPT2), tokenizer=tokenizer, **usual | changes)


def mark(folder: Path) -> None:
    """Change the first loss that a run saw, so that its record tells whether it went on from there."""
    first = folder / watch.LOOK.format(0)
    look = Condensation.load(first)
    look.settings["validation_loss"] = MARK
    look.save(first)


def write_runs(path: Path, more: str = "", changes: str = '[changes.dispersion]\nloss = "dispersion"', **keys) -> Path:
    """A file of runs like `scratch`; `more` are lines before its tables."""
    usual = {"experiment": "toy", "corpus": "imdb", "sources": ["local"], "steps": 6, "checkpoints": 3, "seeds": [5]}
    lines = [f"{name} = {json.dumps(value)}" for name, value in (usual | SMALL | keys).items()]
    shape = ["[shape]", *(f"{name} = {json.dumps(value)}" for name, value in GPT2.items())]
    path.write_text("\n".join([*lines, more, *shape, changes]))
    return path


def until(true, process=None):
    """What `true()` gives once it is something; while the forked `process`, if any, goes on."""
    end = time.monotonic() + WAIT
    while not (found := true()):
        assert time.monotonic() < end, "waited too long"
        assert process is None or process.is_alive(), "the process ended"
        time.sleep(0.02)
    return found


class Killed(BaseException):
    """Nothing catches it, as a kill."""


@contextmanager
def killed_after(step: int):
    """A run in this process ends like a kill after a step, before anything of that step is saved."""
    usual = watch.Watch.on_step_end

    def on_step_end(self, args, state, control, **kwargs):
        usual(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise Killed

    watch.Watch.on_step_end = on_step_end
    try:
        yield
    except Killed:
        return
    finally:
        watch.Watch.on_step_end = usual
    raise AssertionError("the run came to its end")


# --- processes ------------------------------------------------------------------------------------------------------

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["decondense.runs.store", "decondense.launch"])


def forked(target, *arguments, **environment: str):
    """A process that runs a function, of this module or another that can be imported, with the environment of now.

    It is forked from one that imported everything once: imports take longer than toy runs.
    """
    process = _SERVER.Process(target=_in, args=(os.environ | environment, target, arguments), daemon=True)
    process.start()
    return process


def two_forked(target, *arguments, **environment: str) -> list:
    """Two that train together, as torch's launchers start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    ranks = ({"RANK": rank, "LOCAL_RANK": rank} for rank in "01")
    return [forked(target, *arguments, **environment | place | rank, CUDA_VISIBLE_DEVICES="") for rank in ranks]


def all_done(processes: list) -> None:
    for process in processes:
        process.join(WAIT)
        assert process.exitcode == 0


def _in(environment: dict, target, arguments) -> None:
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    target(*arguments)


def train_long(config: dict) -> None:
    """Make a run that saves its state on the way, however short it is."""
    loop.LONG = 1
    store.train(read(config))


def parent_of_a_worker(path: str) -> None:
    """Start a worker, whose run never ends, and wait; write its number to `path` once it has answered."""
    (lines, ask), (answers, answer) = os.pipe(), os.pipe()
    if child := os.fork():
        os.write(ask, b"{}\n")
        os.read(answers, 1)
        Path(path).write_text(str(child))
        time.sleep(2 * WAIT)
    os.close(ask)
    os.close(answers)
    sys.stdin, sys.stdout = os.fdopen(lines), os.fdopen(answer, "w")
    workers.read = lambda config: config
    store.train = _never_ending
    try:
        workers.main()
    finally:
        os._exit(0)


def _never_ending(config, progress) -> None:
    for step in itertools.count(1):
        time.sleep(0.01)
        progress(step)
