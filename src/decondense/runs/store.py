"""The record of a run: found, or made now by one process at a time; and where the weights are kept.

`DECONDENSE_WEIGHTS` names a folder that keeps the weights of trained models, as safetensors, one folder a run, named
like its record. Without it no weights are kept. A record whose weights are missing there is trained again, and stays.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path

from .. import corpora, models, records
from ..base import machine
from ..base.files import cache_dir, move_folder, unfinished_folder
from ..models import pocket
from . import loop
from .configuration import Configuration

CODE = loop.__name__  # what makes a run, with all that it imports
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "lm_eval")
corpus = lru_cache(maxsize=4)(corpora.load)


def find(config: Configuration, committed: bool) -> records.Record | None:
    """The record of a run if there is one, and its weights where they are asked for; without computing.

    committed
        Take a record that the repository keeps for this very configuration.
    """
    how = {"surroundings": surroundings(config), "committed": committed}
    found = records.find(config.name, config.as_dict(), CODE, **how)
    weights = weights_of(config)
    return None if weights and not weights.exists() else found


def train(config: Configuration, progress: Callable[[int], None] | None = None) -> records.Record:
    """The record of a run, trained now if there is none; one that was killed goes on after its last saved checkpoint.

    In several processes all call this with the same configuration; the first alone writes, and all get the record.

    progress
        Called with the number of each step that is done.

    Raises
        ValueError: there are more or fewer processes than the configuration says; and what `loop.train` raises.
    """
    together = machine.processes()
    _check_processes(getattr(config, "processes", 1), together.num_processes)
    # Named by the key, so that what an older version of the code saved is never gone on with.
    folder = cache_dir() / config.kind / _key(config)
    with _alone(folder) if together.is_main_process else nullcontext():
        together.wait_for_everyone()  # what all read now, none has changed yet
        if find(config, False) is None:
            _train(config, folder, progress)
    return find(config, False)


def _train(config: Configuration, folder: Path, progress: Callable[[int], None] | None) -> None:
    together, weights = machine.processes(), weights_of(config)
    keep = (lambda loaded: _save(loaded, weights)) if weights else None
    compute = lambda: loop.train(config, folder, progress, keep)
    asked, how = (config.name, config.as_dict()), {"surroundings": surroundings(config)}
    if together.is_main_process and records.find(*asked, CODE, **how) is None:
        records.run(*asked, compute, CODE, **how)
    else:
        compute()
    together.wait_for_everyone()
    if together.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)


def _check_processes(asked: int, here: int) -> None:
    if asked != here:
        raise ValueError(
            f"This run is one of {asked} processes, and here are {here}. Start it with `accelerate launch "
            "--num_processes N -m decondense.launch FILE.toml`, or change `processes` and `accumulation`."
        )


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


def weights_of(config: Configuration) -> Path | None:
    """Where the weights of a run are kept, if they are."""
    place = os.environ.get("DECONDENSE_WEIGHTS")
    return Path(place) / _key(config) if place else None


def _save(loaded: models.Loaded, folder: Path) -> None:
    """Model and tokenizer as `models.load` reads them; the folder appears whole or not at all."""
    with unfinished_folder(folder.parent) as unfinished:
        for part in (loaded.model, loaded.tokenizer):
            part.save_pretrained(unfinished)
        move_folder(unfinished, folder)


def _key(config: Configuration) -> str:
    return records.path_of(config.name, config.as_dict(), CODE, surroundings(config)).stem


def device() -> str:
    """Of the runs: this machine's, or what `cluster` says of the machines that its jobs will have."""
    return os.environ.get("DECONDENSE_DEVICE") or machine.device()


def surroundings(config: Configuration) -> dict:
    """What decides a run beside its configuration: corpora, versions, device."""
    taught = getattr(config, "distillation", None) or {}
    named = {getattr(config, "model", None), getattr(config, "tokenizer", None), taught.get("teacher")}
    return {
        "corpora": [
            corpus(config.corpus, tuple(config.sources)).sha256,
            corpus("documentation").sha256 if named & set(pocket.SIZES) else None,
        ],
        "versions": {package: records.version(package) for package in PACKAGES},
        "device": device(),
    }
