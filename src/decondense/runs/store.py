"""What the two kinds of training run share: the code that makes them, and where their records and weights are.

`DECONDENSE_WEIGHTS` names a folder that keeps the weights of trained models, as safetensors, one folder a run, named
like its record. Without it no weights are kept. A record whose weights are missing there is trained again, and stays.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from .. import corpora, models, records
from ..base import machine
from ..base.files import cache_dir, move_folder, unfinished_folder
from ..models import pocket
from . import loop

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "lm_eval")
corpus = lru_cache(maxsize=4)(corpora.load)


def find(name: str, config: dict, committed: bool) -> records.Record | None:
    """The record of a run if there is one, and its weights where they are asked for; without computing."""
    found = records.find(name, config, _code(config), surroundings=surroundings(config), committed=committed)
    weights = weights_of(name, config)
    return None if weights and not weights.exists() else found


def train(kind: str, name: str, config: dict, load: Callable, progress: Callable[[int], None] | None = None):
    """The record of a run, trained now if there is none; one that was killed goes on after its last saved checkpoint.

    In several processes all call this with the same configuration; the first alone writes, and all get the record.

    load
        Of the model that the run begins with, as in `training.train`.
    """
    together = loop.processes()
    # Named by the key, so that what an older version of the code saved is never gone on with.
    folder = cache_dir() / kind / _key(name, config)
    with _alone(folder) if together.is_main_process else nullcontext():
        together.wait_for_everyone()  # what all read now, none has changed yet
        if find(name, config, False) is None:
            _train(name, config, load, folder, progress)
    return find(name, config, False)


def _train(name: str, config: dict, load: Callable, folder: Path, progress: Callable[[int], None] | None) -> None:
    together, weights = loop.processes(), weights_of(name, config)
    keep = (lambda loaded: _save(loaded, weights)) if weights else None
    compute = lambda: loop.train(config, folder, load, progress, keep)
    how = {"surroundings": surroundings(config)}
    if together.is_main_process and records.find(name, config, _code(config), **how) is None:
        records.run(name, config, compute, _code(config), **how)
    else:
        compute()
    together.wait_for_everyone()
    if together.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other command make the same run at the same time: it waits, and then finds the record.

    The lock ends with its process, however that ends. Where the file system has no locks, nobody waits.
    """
    path = cache_dir() / "locks" / folder.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with suppress(ImportError, OSError):
            import fcntl  # not on Windows

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def weights_of(name: str, config: dict) -> Path | None:
    """Where the weights of a run are kept, if they are."""
    place = os.environ.get("DECONDENSE_WEIGHTS")
    return Path(place) / _key(name, config) if place else None


def _save(loaded: models.Loaded, folder: Path) -> None:
    """Model and tokenizer as `models.load` reads them; the folder appears whole or not at all."""
    with unfinished_folder(folder.parent) as unfinished:
        for part in (loaded.model, loaded.tokenizer):
            part.save_pretrained(unfinished)
        move_folder(unfinished, folder)


def _key(name: str, config: dict) -> str:
    return records.path_of(name, config, _code(config), surroundings(config)).stem


def _code(config: dict) -> str:
    """The module that makes such a run."""
    return f"{__package__}.{'pretraining' if 'shape' in config else 'midtraining'}"


def device() -> str:
    """Of the runs: this machine's, or what `cluster` says of the machines that its jobs will have."""
    return os.environ.get("DECONDENSE_DEVICE") or machine.device()


def surroundings(config: dict) -> dict:
    """What decides a run beside its configuration: corpora, versions, device."""
    taught = config.get("distillation") or {}
    pocket_model = {config.get("model"), config.get("tokenizer"), taught.get("teacher")} & set(pocket.SIZES)
    return {
        "corpora": [
            corpus(config["corpus"], tuple(config["sources"])).sha256,
            corpus("documentation").sha256 if pocket_model else None,
        ],
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "device": device(),
    }
