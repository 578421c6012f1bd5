"""The grids of the campaign as data (`items.toml`): experiments that need a GPU. A page reads their runs by it too."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..base.errors import unknown
from . import MidTraining, PreTraining
from .configuration import Configuration

CORPUS = "packed/pocket-small"
# Of every run; and what a CPU takes in their place with --tiny.
ALWAYS = {"sources": ("local",), "steps": 1000, "texts": 8, "text_length": 512, "held_out": 64}  # the plan sets steps
FROM_SCRATCH = {"corpus": CORPUS, "tokenizer": CORPUS, "precision": "bfloat16"}
TINY = {"batch_size": 2, "length": 16, "texts": 2, "text_length": 16, "held_out": 2, "checkpoints": 2}
SHAPE = {"architecture": "GPT2Config", "n_layer": 12, "activation_function": "gelu_pytorch_tanh"}
TUNING_SEED = 1000  # of the short runs that choose a rate or a weight; no other run has it
TINY_LIMIT = 2  # items of a benchmark
TINY_SHAPE = {"n_layer": 2, "n_embd": 16, "n_head": 2}


class Runs(NamedTuple):
    """An item that is a grid of training runs: what all do, what each label changes, and how many there are.

    least, most
        Tokens of a run.
    rates, weights
        Those labels whose change names no learning rate are tuned over these; a loss over the weights too.
    longer
        Of the first label also runs of so many times the steps: what is compared at equal time.
    design
        Of `paper.designs`; nothing where no verdict rests on the item.
    one_by_one
        Each label is made whole before the next, in order of worth; else each seed.
    """

    name: str
    shared: Configuration
    changes: dict[str, dict]
    seeds: list[int]
    least: int
    most: int
    rates: Sequence[float] = ()
    weights: Sequence[float] = ()
    longer: Sequence[float] = ()
    design: str | None = None
    one_by_one: bool = False

    @property
    def tuned(self) -> dict[str, dict]:
        """The changes that short runs choose the learning rate of."""
        return {label: change for label, change in self.changes.items() if self.rates and "learning_rate" not in change}

    def trials(self, change: Mapping) -> int:
        """How many short runs choose the rate, and the weight of a loss, of one of `tuned`."""
        return len(self.rates) * (len(self.weights) or 1 if "loss" in change else 1)

    def in_order(self) -> list["Runs"]:
        """What is made whole before the next is begun: one label each (`one_by_one`), or all at once."""
        if not self.one_by_one:
            return [self]
        first = next(iter(self.changes))
        alone = lambda label: {"changes": {label: self.changes[label]}, "longer": self.longer if label == first else ()}
        return [self._replace(**alone(label)) for label in self.changes]


def names() -> list[str]:
    """In order of worth."""
    return list(_table())


def entry(name: str, tiny: bool = False) -> dict:
    """What `items.toml` says of one item.

    Raises
        ValueError: unknown item.
    """
    if name not in _table():
        raise unknown("item", name, _table())
    found = dict(_table()[name])
    small = found.pop("tiny")
    return found | small if tiny else found


def runs(name: str, tiny: bool = False) -> Runs:
    """An item of the kind "runs" as a grid.

    Raises
        ValueError: unknown item, or one of another kind; what `MidTraining` and `PreTraining` raise.
    """
    found = entry(name, tiny)
    if found["kind"] != "runs":
        raise ValueError(f"The item {name!r} is no grid of training runs.")
    shared = (_further if "model" in found["shared"] else _from_scratch)(dict(found["shared"]), tiny)
    least, most = found["tokens"]
    more = {key: found[key] for key in ("rates", "weights", "longer", "design", "one_by_one") if key in found}
    return Runs(name, shared, found["changes"], list(found["seeds"]), least, most, **more)


def _from_scratch(how: dict, tiny: bool) -> PreTraining:
    shape = SHAPE | how.pop("shape", {}) | (TINY_SHAPE if tiny else {})
    small = TINY | {"experiment": f"{how['experiment']}-tiny", "precision": "float32"} if tiny else {}
    return PreTraining(**ALWAYS | FROM_SCRATCH | {"shape": shape} | how | small)


def _further(how: dict, tiny: bool) -> MidTraining:
    """On the token files that lie beside the weights."""
    small = TINY | {"tasks": dict.fromkeys(how["tasks"], TINY_LIMIT)} if tiny else {}
    return MidTraining(**ALWAYS | {"corpus": how["model"]} | how | small)


@cache
def _table() -> dict:
    return tomllib.loads(Path(__file__).with_name("items.toml").read_text(encoding="utf-8"))
