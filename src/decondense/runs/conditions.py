"""What a training run may be asked: types and ranges, checked before any run begins.

What only the model itself can tell (an entry of `layers` that it does not have) shows when the run begins.
"""

import math
from collections.abc import Mapping, Sequence

import torch

from .. import evaluate, losses, models, trainers
from ..base.errors import unknown
from ..evaluate import pocket_tasks
from ..trainers import distillation

PRECISIONS, SCHEDULES = ("float32", "bfloat16"), ("cosine", "linear")
WHOLE = {  # whole numbers, and the least of each
    "steps": 0, "batch_size": 1, "accumulation": 1, "length": 1, "checkpoints": 1, "texts": 1, "text_length": 1,
    "held_out": 1, "few_shot": 0, "train_tokens": 0, "subsample": 2, "stop_after": 1, "processes": 1, "seed": 0,
}  # fmt: skip
ABOVE_0 = ("learning_rate", "weight", "temperature", "noise_alpha")
OPTIONAL = ("loss", "weight", "layers", "temperature", "subsample", "noise_alpha", "stop_after")
OF_A_LOSS = ("weight", "layers", "temperature", "subsample")  # nothing else reads these
WORDS = {"precision": PRECISIONS, "schedule": SCHEDULES}


def checked(config: Mapping) -> dict:
    """The same configuration, 1 written as 1.0 where fractions are allowed, so that both have one key.

    Raises
        ValueError: a value of another type or out of its range, an unknown loss, layers, precision, schedule, source
            or benchmark, a loss without the temperature that is asked.
    """
    given = {name: value for name, value in config.items() if not (value is None and name in OPTIONAL)}
    numbers = {name: _whole(name, given[name], least) for name, least in WHOLE.items() if name in given}
    numbers |= {name: _above_0(name, given[name]) for name in ABOVE_0 if name in given}
    if "warm_up" in given:
        numbers["warm_up"] = _share_of_steps(given["warm_up"])
    for name, known in WORDS.items():
        if name in given and given[name] not in known:
            raise unknown(name, given[name], known)
    if not isinstance(given.get("forgetting", False), bool):
        raise ValueError(f"forgetting must be true or false, got {given['forgetting']!r}.")
    found = dict(config) | numbers
    if found.get("distillation") is not None:
        found["distillation"] = _distillation(found["distillation"])
    _check_lists(found)
    if found.get("loss") is not None:
        _check_loss(found)
    return found


def checked_setup(given: Mapping) -> dict:
    """What the runs of an experiment share, checked; there at least one step is made (a condition may have none).

    Raises
        ValueError: more checkpoints than steps, and as in `checked`.
    """
    _whole("steps", given["steps"], 1)
    found = checked(given)
    if found["checkpoints"] > found["steps"]:
        raise ValueError(
            f"{found['checkpoints']} checkpoints in {found['steps']} steps: give more steps or fewer "
            "checkpoints (--set checkpoints=1)."
        )
    return found


def _number(name: str, value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = " In YAML a number like 5e-5 needs a point: 5.0e-5." if isinstance(value, str) else ""
        raise ValueError(f"{name} must be a number, got {value!r}.{hint}")
    return float(value)


def _whole(name: str, value, least: int) -> int:
    if not _number(name, value).is_integer():
        raise ValueError(f"{name} must be a whole number, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be {f'above {least - 1}' if least else '0 or more'}, got {value}.")
    return int(value)


def _above_0(name: str, value) -> float:
    if not 0 < _number(name, value) < math.inf:
        more = " For plain training leave the loss out." if name == "weight" else ""
        raise ValueError(f"{name} must be above 0, got {value}.{more}")
    return float(value)


def _share_of_steps(value) -> float:
    if not 0 <= _number("warm_up", value) < 1:
        raise ValueError(f"warm_up is a share of the steps, 0 up to 1, got {value}.")
    return float(value)


def _distillation(asked: Mapping) -> dict:
    temperature = asked["temperature"] if asked["temperature"] is None else _number("temperature", asked["temperature"])
    found = dict(asked) | {"share": _number("share", asked["share"]), "temperature": temperature}
    distillation.check(found["kind"], found["share"], found["temperature"])
    return found


def _check_lists(config: Mapping) -> None:
    tasks = config.get("tasks") or {}
    if not isinstance(tasks, Mapping):
        raise ValueError(f"tasks must be a table of names and limits such as {{piqa: 100}}, got {tasks!r}.")
    for task, limit in tasks.items():
        if task not in (known := [*evaluate.PAPER_TASKS, *pocket_tasks.TASKS]):
            raise unknown("benchmark", task, known)
        if limit is not None:
            _whole(f"the limit of {task}", limit, 1)
    if not isinstance(sources := config.get("sources", []), list | tuple):
        raise ValueError(f"sources must be a list, got {sources!r}.")
    for source in sources:
        if source not in models.SOURCES:
            raise unknown("source", source, models.SOURCES)


def _check_loss(config: Mapping) -> None:
    """As `DispersionTrainer` will: a bad option fails here, and not in a process of its own."""
    if config["loss"] not in losses.names():
        raise unknown("loss", config["loss"], losses.names())
    how = {} if config.get("temperature") is None else {"temperature": config["temperature"]}
    losses.get(config["loss"], **how)(torch.zeros(1, 2, 1), subsample=config.get("subsample"))
    layers = config.get("layers", "all")
    if isinstance(layers, str):
        if layers not in trainers.LAYERS:
            raise unknown("layers", layers, trainers.LAYERS)
    elif not (isinstance(layers, Sequence) and layers and all(type(entry) is int and entry >= 0 for entry in layers)):
        raise ValueError(f"layers must be one of {', '.join(trainers.LAYERS)}, or a list of entries, got {layers!r}.")
