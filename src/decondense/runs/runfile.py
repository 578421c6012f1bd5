"""The runs that a file asks for: mid-training of a model, or training from scratch, in TOML or YAML.

    model = "gpt2"                        # or a list; or [shape] and experiment, for training from scratch
    corpus = "wikitext-103"
    steps = 1000
    seeds = [0, 1, 2]
    [changes.train]
    [changes.dispersion]
    loss = "dispersion"

Every key is an argument of `midtraining.setup` or `pretraining.setup`, but for `seeds`, `processes` and the table
`changes`, which has for each label what it changes. TOML, since that is what the recipes are written in; YAML, since
that is what many tools write. Both give the same runs.
"""

import inspect
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from ..base.errors import unknown
from ..cli import door
from . import conditions, grid, midtraining, pretraining


class Asked(NamedTuple):
    """What is asked for: a kind of run, and for each run a label and its configuration."""

    kind: grid.Kind
    jobs: list[tuple[str, dict]]

    @property
    def configs(self) -> list[dict]:
        return [config for _, config in self.jobs]


def table(path: Path) -> dict:
    """What a file says, as it stands there.

    Raises
        FileNotFoundError: no such file.
        ValueError: neither .toml nor .yaml nor .yml, not readable as such, or no table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give one of runs (.toml, .yaml), or --model MODEL.")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            return tomllib.loads(text)
        if path.suffix not in (".yaml", ".yml"):
            raise ValueError(f"{path.name} must end in .toml, .yaml or .yml.")
        found = yaml.safe_load(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} has no keys.")
    return found


def keys(given: Mapping) -> list[str]:
    """The keys that a table of this kind may have beside `changes`: those of `setup`, `seeds`, `processes`."""
    setup, own = (midtraining.setup, []) if "model" in given else (pretraining.setup, ["processes"])
    return [*inspect.signature(setup).parameters, "seeds", *own]


def read(path: Path, processes: int = 1) -> Asked:
    """The runs of a file, for this many processes (`asked`)."""
    return asked(table(path), path.name, processes)


def asked(given: Mapping, name: str, processes: int = 1) -> Asked:
    """The runs of a table; `name` says where it is from.

    `processes` in it is how many train one model together. With fewer, each accumulates more, so that a step sees as
    many tokens.

    Raises
        ValueError: an unknown or a missing key; changes or seeds of another shape; a number of processes that does not
            divide what is given; what `setup` and `configuration` of the two modules raise.
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
    made = _from_weights if "model" in given else _from_scratch
    return made(rest, changes, seeds, name, processes)


def changes_of(given: object, name: str) -> dict[str, dict]:
    """For each label what it changes: the table `changes`, nothing as an empty table.

    Raises
        ValueError: no table, an empty one, or something else than a table for a label; an option of a loss where there
            is none.
    """
    if not (isinstance(given, Mapping) and given):
        shown = "changes.dispersion.loss = 'dispersion', or in YAML changes: {dispersion: {loss: dispersion}}"
        raise ValueError(f"{name}: changes must be a table of labelled tables, got {given!r}. Write {shown}.")
    for label, change in given.items():
        if not (change is None or isinstance(change, Mapping)):
            raise ValueError(f"{name}: changes.{label} must be a table such as {{loss: dispersion}}, got {change!r}.")
        if change and change.get("loss") == "none":
            raise ValueError(f"{name}: changes.{label} has the loss 'none'. For plain training leave the loss out.")
        unread = [option for option in conditions.OF_A_LOSS if option in (change or {}) and not change.get("loss")]
        if unread:
            raise ValueError(f"{name}: changes.{label} has {unread[0]!r}, which nothing reads without a loss: add one.")
    return {label: dict(change or {}) for label, change in given.items()}


def _check_keys(given: Mapping, name: str) -> None:
    known = [*keys(given), "changes"]
    for key in given:
        if key not in known:
            raise unknown(f"key in {name}", key, known)
    arguments = inspect.signature(midtraining.setup if "model" in given else pretraining.setup).parameters
    needed = [key for key, argument in arguments.items() if argument.default is argument.empty]
    for key in (*needed, "seeds", "changes"):
        if key not in given:
            raise ValueError(f"{name} has no {key!r}: add it.")


def _from_weights(given: dict, changes: dict, seeds: list[int], name: str, processes: int) -> Asked:
    if processes > 1:
        raise ValueError(f"{name} goes on training a model: one process makes a run. See `decondense train`.")
    models = given.pop("model")
    models = [models] if isinstance(models, str) else models
    if not (isinstance(models, list | tuple) and models and all(isinstance(model, str) for model in models)):
        raise ValueError(f"{name}: model must be a name or a list of names, got {models!r}.")
    door.check_models(models)
    jobs = []
    for model in models:
        found = midtraining.jobs(midtraining.setup(model, **given), changes, seeds)
        jobs += [(f"{model}, {label}" if len(models) > 1 else label, config) for label, config in found]
    return Asked(midtraining.KIND, jobs)


def _from_scratch(given: dict, changes: dict, seeds: list[int], name: str, processes: int) -> Asked:
    if not isinstance(given["shape"], Mapping):
        raise ValueError(f"{name}: shape must be a table such as {{like: gpt2}}, got {given['shape']!r}.")
    said = given.pop("processes", processes)
    if said % processes:
        raise ValueError(f"{name} is for {said} processes: {processes} do not divide it.")
    for part in (given, *changes.values()):
        if part is given or "accumulation" in part:
            part["accumulation"] = part.get("accumulation", 1) * said // processes
    shared = pretraining.setup(**given) | {"processes": processes}
    return Asked(pretraining.KIND, pretraining.jobs(shared, changes, seeds))
