"""What a training run is asked to do: a frozen dataclass, checked when it is made, so before any run begins.

`as_dict()` is the configuration that the record of the run holds. What only the model itself can tell (an entry of
`layers` that it does not have) shows when the run begins.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import ClassVar, Literal

import torch

from .. import corpora, losses, models, trainers
from ..base.errors import unknown
from ..corpora.streams import Needs
from ..evaluate import PAPER_TASKS, pocket_tasks
from ..models import pocket

WHOLE = {  # whole numbers, and the least of each
    "steps": 0, "batch_size": 1, "accumulation": 1, "length": 1, "checkpoints": 1, "texts": 1, "text_length": 1,
    "held_out": 1, "few_shot": 0, "train_tokens": 0, "subsample": 2, "stop_after": 1, "processes": 1, "seed": 0,
}  # fmt: skip
ABOVE_0 = ("learning_rate", "weight", "temperature", "noise_alpha", "clamp")
OF_A_LOSS = ("weight", "layers", "temperature", "subsample", "centre", "clamp", "acute", "options")  # only a loss


@dataclass(frozen=True, kw_only=True)
class Configuration(ABC):
    """One training run.

    steps, batch_size, accumulation, length
        Tokens seen by each process: steps x batch_size x accumulation x length.
    checkpoints
        The geometry is measured before the first step and then this many times, on `texts` held-out windows of
        `text_length` tokens.
    held_out
        Windows of `length` tokens that give the validation loss.
    tasks, few_shot
        For each benchmark the limit on its items (`None`: all), as in `evaluate.evaluate`; scored after the last step.
    loss, weight, layers, temperature, subsample, centre, clamp, acute
        Of the regulariser, as in `DispersionTrainer`: a name, or a table of names and weights.
    options
        Of the loss, by their names: `options = {slices = 512}` for `sigreg`.
    elsewhere
        Other corpora, on whose held-out windows the geometry is measured after the last step.
    controls
        Each look at the geometry has its controls, as in `measure`: true, or "all".
    stop_after
        Stop after so many steps of the schedule, as a check run does.
    train_tokens
        Of a pocket model that the run begins with or learns from.

    Raises
        ValueError: a value of another type or out of its range; an unknown loss, layers, source, corpus elsewhere or
            benchmark; a loss without the option that is asked, or between texts in batches of one; more checkpoints
            than steps.
    """

    corpus: str
    steps: int
    batch_size: int
    accumulation: int = 1
    length: int
    learning_rate: float
    checkpoints: int
    texts: int = 8
    text_length: int = 256
    held_out: int = 64
    tasks: Mapping[str, int | None] | None = field(default_factory=dict)
    few_shot: int = 1
    sources: Sequence[str] = models.SOURCES
    seed: int = 0
    loss: str | Mapping[str, float] | None = None
    weight: float | None = None
    layers: str | Sequence[int] | None = "all"
    temperature: float | None = None
    subsample: int | None = None
    centre: str | None = None
    clamp: float | None = None
    acute: bool = False
    options: Mapping | None = None
    elsewhere: Sequence[str] = ()
    controls: bool | Literal["all"] = False
    stop_after: int | None = None
    train_tokens: int | None = pocket.TRAIN_TOKENS

    kind: ClassVar[str]  # in the names of folders, and of records
    derived: ClassVar[tuple[str, ...]] = ()  # what `as_dict` holds and no field says

    def __post_init__(self) -> None:
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name, value in _checked(given).items():
            object.__setattr__(self, name, value)
        if 0 < self.steps < self.checkpoints and not self.stop_after:
            raise ValueError(
                f"{self.checkpoints} checkpoints in {self.steps} steps: give more steps or fewer checkpoints "
                "(--set checkpoints=1)."
            )

    def as_dict(self) -> dict:
        """The run as plain JSON. What has no effect is left out, or `None`, so that equal runs have equal ones."""
        found = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if self.loss is None:
            found |= dict.fromkeys(OF_A_LOSS)
        for name in ("centre", "clamp", "acute", "options", "elsewhere", "controls"):
            if not found[name]:  # usual, and not said
                del found[name]
        return json.loads(json.dumps(found))

    @classmethod
    def read(cls, config: Mapping) -> "Configuration":
        """The run that `as_dict` gave.

        Raises
            ValueError: a key that no such run has, or lacks.
        """
        return cls._made({name: value for name, value in config.items() if name not in cls.derived})

    def changed(self, **changes) -> "Configuration":
        """The same run with other values of some fields.

        Raises
            ValueError: a field that no run has, and as for a new one.
        """
        _refuse_unknown(changes, type(self))
        return replace(self, **changes)

    @classmethod
    def _made(cls, given: Mapping) -> "Configuration":
        _refuse_unknown(given, cls)
        for name in required(cls):
            if name not in given:
                raise ValueError(f"It has no {name!r}.")
        return cls(**given)

    @property
    def needs(self) -> Needs:
        """Tokens that the run reads: in training, all processes together, and held out."""
        return Needs(self.tokens, max(self.texts * self.text_length, self.held_out * self.length))

    @property
    def tokens(self) -> int:
        """Tokens seen in training, in all processes together."""
        return self.steps * self.batch_size * self.accumulation * self.length * getattr(self, "processes", 1)

    @property
    def schedule_arguments(self) -> dict:
        """`TrainingArguments` of a learning-rate schedule other than that of `trainers.paper_arguments`."""
        return {}

    @property
    def condition(self) -> str:
        """The loss in the name of the record; several joined by a plus."""
        return "+".join(self.loss) if isinstance(self.loss, Mapping) else self.loss or "train"

    @property
    @abstractmethod
    def name(self) -> str:
        """How the name of the record begins."""

    @abstractmethod
    def load(self) -> models.Loaded:
        """The model that the run begins with, and its tokenizer."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what all processes need and only one should make: pocket models, the corpus and its token stream."""

    @abstractmethod
    def parameters(self) -> int:
        """How many parameters the model has, counted without making it."""


def required(kind: type[Configuration]) -> list[str]:
    """The fields that have no default."""
    return [entry.name for entry in fields(kind) if entry.default is MISSING and entry.default_factory is MISSING]


def _refuse_unknown(given: Mapping, kind: type[Configuration]) -> None:
    known = {entry.name for entry in fields(kind)}
    for name in given:
        if name not in known:
            raise ValueError(f"No run knows {name!r}. Known: {', '.join(sorted(known))}.")


def _checked(given: Mapping) -> dict:
    """Every value, whole numbers as `int` and fractions as `float`, so that 1 and 1.0 have one key; lists as tuples."""
    found = {name: value for name, value in given.items() if value is not None}
    numbers = {name: whole(name, found[name], least) for name, least in WHOLE.items() if name in found}
    numbers |= {name: above_0(name, found[name]) for name in ABOVE_0 if name in found}
    made = dict(given) | numbers | {"tasks": _tasks(given["tasks"] or {}), "sources": _sources(given["sources"])}
    made["elsewhere"] = _elsewhere(given["elsewhere"])
    made["acute"] = flag("acute", given["acute"])
    if given["controls"] not in (False, True, "all"):
        raise ValueError(f'controls must be true, false or "all", got {given["controls"]!r}.')
    if made["loss"] is not None:
        made["layers"] = _layers(made["layers"])
        made["weight"] = made["weight"] or (1.0 if isinstance(made["loss"], Mapping) else 0.1)
        _check_loss(made)
    return made


def number(name: str, value) -> float:
    """The value as a `float`; ValueError for anything else than a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {value!r}.")
    return float(value)


def flag(name: str, value) -> bool:
    """The value; ValueError unless it is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}.")
    return value


def whole(name: str, value, least: int) -> int:
    """The value as an `int`; ValueError for a fraction, or for less than `least`."""
    if not number(name, value).is_integer():
        raise ValueError(f"{name} must be a whole number, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be {f'above {least - 1}' if least else '0 or more'}, got {value}.")
    return int(value)


def above_0(name: str, value) -> float:
    """The value as a `float`; ValueError unless it is positive and finite."""
    if not 0 < number(name, value) < math.inf:
        more = " For plain training leave the loss out." if name == "weight" else ""
        raise ValueError(f"{name} must be above 0, got {value}.{more}")
    return float(value)


def _tasks(tasks: object) -> dict[str, int | None]:
    if not isinstance(tasks, Mapping):
        raise ValueError(f"tasks must be a table of names and limits such as {{piqa: 100}}, got {tasks!r}.")
    for task, limit in tasks.items():
        if task not in (known := [*PAPER_TASKS, *pocket_tasks.TASKS]):
            raise unknown("benchmark", task, known)
        if limit is not None:
            whole(f"the limit of {task}", limit, 1)
    return dict(tasks)


def _sources(sources: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(sources, list | tuple):
        raise ValueError(f"sources must be a list, got {sources!r}.")
    for source in sources:
        if source not in models.SOURCES:
            raise unknown("source", source, models.SOURCES)
    return tuple(sources)


def _elsewhere(names: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(names, list | tuple):
        raise ValueError(f"elsewhere must be a list of corpora, got {names!r}.")
    for name in names:
        if name not in corpora.ORIGINS:
            raise unknown("corpus", name, corpora.ORIGINS)
    return tuple(names)


def _layers(layers) -> str | tuple[int, ...]:
    if isinstance(layers, str):
        if layers not in trainers.LAYERS:
            raise unknown("layers", layers, trainers.LAYERS)
        return layers
    if not (isinstance(layers, Sequence) and layers and all(type(entry) is int and entry >= 0 for entry in layers)):
        raise ValueError(f"layers must be one of {', '.join(trainers.LAYERS)}, or a list of entries, got {layers!r}.")
    return tuple(layers)


def _check_loss(config: Mapping) -> None:
    """As `DispersionTrainer` will: a bad option fails here, and not in a process of its own."""
    if not isinstance(config["loss"], str | Mapping):
        raise unknown("loss", config["loss"], losses.names())
    if config["centre"] not in (None, "batch"):
        raise ValueError(f"centre must be 'batch', or left out, got {config['centre']!r}.")
    if not isinstance(config["options"], Mapping | None):
        raise ValueError(f"options must be a table such as {{slices = 512}}, got {config['options']!r}.")
    losses.trial(_loss(config), config["subsample"], texts=min(config["batch_size"], 2))


def loss_of(config: "Configuration") -> Callable[..., torch.Tensor]:
    """The regulariser of a run, with all of its options."""
    return _loss({entry.name: getattr(config, entry.name) for entry in fields(config)})


def _loss(config: Mapping) -> Callable[..., torch.Tensor]:
    options = {name: config[name] for name in ("temperature", "centre", "clamp", "acute") if config[name]}
    options |= config["options"] or {}
    if not isinstance(config["loss"], Mapping):
        return losses.get(config["loss"], **options)
    if options:
        raise ValueError(f"{', '.join(options)}: several losses have no options here. Give one loss alone.")
    return losses.combined(config["loss"])
