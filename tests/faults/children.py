"""What runs in processes that are killed: forked from one that has imported everything, so a start costs little."""

import gc
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from decondense import records
from decondense.base import files
from decondense.base.files import sha256
from decondense.corpora import documentation
from decondense.models import pocket
from decondense.runs import loop, store, watch
from decondense.runs.pretraining import PreTraining

GPT2 = {"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2}
SHARED = {
    "steps": 30, "batch_size": 2, "length": 16, "learning_rate": 1e-2, "checkpoints": 5, "texts": 2, "text_length": 24,
    "held_out": 4, "sources": [], "tokenizer": "pocket-small",
}  # fmt: skip
SIZE = 300_000  # bytes of the arrays of a record


def start(target, *arguments) -> multiprocessing.Process:
    """Call a function of this module in a new process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["children"])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def finish(target, *arguments) -> None:
    process = start(target, *arguments)
    process.join(120)
    assert process.exitcode == 0


# --- records --------------------------------------------------------------------------------------------------------


def arrays(number: int) -> bytes:
    return np.random.default_rng(number).bytes(SIZE)


def write(folder: Path, first: int = 0) -> None:
    """Write one record again and again, its results the numbers from `first` on."""
    os.environ |= {"DECONDENSE_RECORDS": str(folder / "records"), "DECONDENSE_FRESH": "9999"}
    number = first
    (folder / "writing").touch()
    while True:
        records.run("toy", {"seed": 0}, lambda n=number: ({"number": n}, arrays(n)))
        number += 1


def write_once(folder: Path) -> None:
    os.environ |= {"DECONDENSE_RECORDS": str(folder / "records"), "DECONDENSE_FRESH": "9999"}
    records.run("toy", {"seed": 0}, lambda: ({"number": 0}, arrays(0)))


def corrupt(folder: Path, whole: Callable[[records.Record], bool]) -> int:
    """How many of the records there are damaged, or were never written so."""
    count = 0
    with warnings.catch_warnings(record=True) as damaged:
        warnings.simplefilter("always")
        for path in (folder / "records").glob("*.json"):
            if (found := records.read(path)) is not None:
                count += not whole(found)
    return count + len(damaged)


def as_written(found: records.Record) -> bool:
    return found.arrays.read_bytes() == arrays(found.content["results"]["number"])


# --- training -------------------------------------------------------------------------------------------------------


def toy_family(folder: Path) -> None:
    """The pocket family at toy size on a toy corpus, all its caches in `folder`."""
    os.environ |= {"DECONDENSE_RECORDS": str(folder / "records"), "DECONDENSE_CACHE": str(folder / "cache")}
    rng = np.random.default_rng(0)
    words = ["the", "mean", "of", "a", "cosine", "is", "taken", "over", "all", "pairs", "in", "this", "sequence"]
    rows = [" ".join(rng.choice(words, 12)) + ".\n" for _ in range(400)]
    documentation.paragraphs = lambda: rows
    pocket.VOCABULARY, pocket.CONTEXT = 300, 32
    pocket.SIZES = {"pocket-small": pocket.Size(2, 2)}
    loop.LONG = 1


def train(folder: Path) -> None:
    toy_family(folder)
    here = {"experiment": "toy", "shape": GPT2, "corpus": "documentation", "loss": "dispersion", "subsample": 8}
    store.train(PreTraining(**here, **SHARED, seed=5))


def trained(folder: Path) -> list:
    """What must be the same bit for bit: curve, losses, the hash of the weights, geometry."""
    (path,) = (folder / "records").glob("*.json")
    return of_training(records.read(path))


def of_training(found: records.Record) -> list:
    return [json.dumps(found.content["results"]), found.content["config"], sha256(found.arrays)]


def save_model(folder: Path) -> None:
    """A small model with its tokenizer, in Hugging Face's layout."""
    toy_family(folder.parent)
    model, tokenizer, _ = pocket.load("pocket-small", 0)
    for part in (model, tokenizer):
        part.save_pretrained(folder)


def load_pocket(folder: Path) -> None:
    toy_family(folder)
    model, _, _ = pocket.load("pocket-small", 640)
    digest = watch.fingerprint(model)
    files.write_atomically(folder / f"weights-{os.getpid()}", digest)


records.provenance()  # asks git, once
gc.freeze()
