"""The runs that a TOML file asks for: mid-training of a model, or training from scratch.

    model = "gpt2"                        # or a list; or [shape] and experiment, for training from scratch
    corpus = "wikitext-103"
    steps = 1000
    seeds = [0, 1, 2]
    [changes.train]
    [changes.dispersion]
    loss = "dispersion"

Every key is a field of `MidTraining` or `PreTraining`, but for `seeds` and the table `changes`, which has for each
label what it changes: any field, and only there those of a condition (`OF_A_CONDITION`).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from .. import models
from ..base.errors import unknown
from . import MidTraining, PreTraining, grid
from .configuration import OF_A_LOSS, Configuration, required, whole

OF_A_CONDITION = ("seed", "loss", *OF_A_LOSS, "noise_alpha", "forgetting", "distillation", "stop_after")


def table(path: Path) -> dict:
    """What a file holds, as it is there.

    Raises
        FileNotFoundError: no such file.
        ValueError: not .toml, or not readable as such.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give one of runs (.toml), or --model MODEL.")
    if path.suffix != ".toml":
        raise ValueError(f"{path.name} must end in .toml.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error


def kind(given: Mapping) -> type[Configuration]:
    """The kind of run that a table asks for: with a model it goes on training it."""
    return MidTraining if "model" in given else PreTraining


def keys(given: Mapping) -> list[str]:
    """The keys that a table of this kind may have beside `changes`."""
    return [*(entry.name for entry in fields(kind(given)) if entry.name not in OF_A_CONDITION), "seeds"]


def read(path: Path, processes: int = 1) -> list[grid.Job]:
    """The runs of a file, for this many processes (`asked`)."""
    return asked(table(path), path.name, processes)


def asked(given: Mapping, name: str, processes: int = 1) -> list[grid.Job]:
    """The runs of a table; `name` tells where it is from.

    `processes` in it is how many train one model together. With fewer, each accumulates more, so that a step sees as
    many tokens.

    Raises
        ValueError: an unknown or a missing key; changes or seeds of another shape; a number of processes that does not
            divide what is given; what `Configuration` raises.
    """
    if ("model" in given) == ("shape" in given):
        raise ValueError(f"{name} must have either 'model', to go on training it, or 'shape', to train from scratch.")
    rest = dict(given)
    _check_keys(rest, name)
    changes, seeds = changes_of(rest.pop("changes"), name), rest.pop("seeds")
    if not (isinstance(seeds, list | tuple) and seeds and all(type(seed) is int for seed in seeds)):
        raise ValueError(f"{name}: seeds must be a list of whole numbers such as [0, 1], got {seeds!r}.")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{name}: a seed is given twice in {list(seeds)}, and would be the same run.")
    return (_from_weights if "model" in given else _from_scratch)(rest, changes, seeds, name, processes)


def changes_of(given: object, name: str) -> dict[str, dict]:
    """For each label what it changes: the table `changes`.

    Raises
        ValueError: no table, an empty one, or something else than a table for a label; an option of a loss where there
            is none.
    """
    if not (isinstance(given, Mapping) and given):
        shown = "[changes.dispersion] and below it loss = 'dispersion'"
        raise ValueError(f"{name}: changes must be a table of labelled tables, got {given!r}. Write {shown}.")
    for label, change in given.items():
        if not isinstance(change, Mapping):
            raise ValueError(
                f"{name}: changes.{label} must be a table such as {{loss = 'dispersion'}}, got {change!r}."
            )
        if change.get("loss") == "none":
            raise ValueError(f"{name}: changes.{label} has the loss 'none'. For plain training leave the loss out.")
        unread = [option for option in OF_A_LOSS if option in change and not change.get("loss")]
        if unread:
            raise ValueError(f"{name}: changes.{label} has {unread[0]!r}, which nothing reads without a loss: add one.")
    return {label: dict(change) for label, change in given.items()}


def _check_keys(given: Mapping, name: str) -> None:
    known = [*keys(given), "changes"]
    for key in given:
        if key not in known:
            raise unknown(f"key in {name}", key, known)
    for key in (*required(kind(given)), "seeds", "changes"):
        if key not in given:
            raise ValueError(f"{name} has no {key!r}: add it.")


def _from_weights(given: dict, changes: dict, seeds: list[int], name: str, processes: int) -> list[grid.Job]:
    if processes > 1:
        raise ValueError(f"{name} goes on training a model: one process makes a run. See `decondense train`.")
    named = given.pop("model")
    named = [named] if isinstance(named, str) else named
    if not (isinstance(named, list | tuple) and named and all(isinstance(model, str) for model in named)):
        raise ValueError(f"{name}: model must be a name or a list of names, got {named!r}.")
    models.check_names(named)
    if adapters := [model for model in named if models.is_adapter(model)]:
        cure = "Save the two as one: model.merge_and_unload().save_pretrained(FOLDER)."
        raise ValueError(f"{adapters[0]} is an adapter, and a run trains whole models. {cure}")
    jobs = []
    for model in named:
        found = grid.jobs(MidTraining(model=model, **given), changes, seeds)
        jobs += [(f"{model}, {label}" if len(named) > 1 else label, config) for label, config in found]
    return jobs


def _from_scratch(given: dict, changes: dict, seeds: list[int], name: str, processes: int) -> list[grid.Job]:
    meant = whole("processes", given.pop("processes", processes), 1)
    if meant % processes:
        raise ValueError(f"{name} is for {meant} processes: {processes} do not divide it.")
    for part in (given, *changes.values()):
        if part is given or "accumulation" in part:
            part["accumulation"] = whole("accumulation", part.get("accumulation", 1), 1) * meant // processes
    return grid.jobs(PreTraining(**given, processes=processes), changes, seeds)
