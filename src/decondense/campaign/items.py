"""The items of the campaign as data (`items.toml`)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..base.errors import unknown
from ..paper import designs
from ..runs import MidTraining, PreTraining
from ..runs.configuration import Configuration

CORPUS = "packed/pocket-small"
# Of every run; and what a CPU takes in their place with --tiny.
ALWAYS = {"sources": ("local",), "steps": 1000, "texts": 8, "text_length": 512, "held_out": 64}  # the plan sets steps
FROM_SCRATCH = {"corpus": CORPUS, "tokenizer": CORPUS, "precision": "bfloat16"}
TINY = {"batch_size": 2, "length": 16, "texts": 2, "text_length": 16, "held_out": 2, "checkpoints": 2}
SHAPE = {"architecture": "GPT2Config", "n_layer": 12, "activation_function": "gelu_pytorch_tanh"}
TINY_LIMIT = 2  # items of a benchmark
TINY_SHAPE = {"n_layer": 2, "n_embd": 16, "n_head": 2}


class Runs(NamedTuple):
    """An item that is a grid of training runs: what all do, what each label changes, and how many there are.

    least, most
        Tokens of a run.
    rates
        Those labels whose change names no learning rate are tuned over these.
    """

    name: str
    shared: Configuration
    changes: dict[str, dict]
    seeds: list[int]
    least: int
    most: int
    rates: list[float]

    @property
    def tuned(self) -> dict[str, dict]:
        """The changes that short runs choose the learning rate of."""
        return {label: change for label, change in self.changes.items() if self.rates and "learning_rate" not in change}


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


def check_design(found: Mapping) -> None:
    """Refuse an item that cannot see what its design asks for, or that has other seeds than that.

    Raises
        ValueError: as `designs.load`; another number of seeds.
    """
    if "design" in found and len(found["seeds"]) != (n := designs.load(found["design"]).n):
        raise ValueError(f"The design {found['design']} has {n} seeds, and the item has {len(found['seeds'])}.")


def runs(name: str, tiny: bool = False) -> Runs:
    """An item of the kind "runs" as a grid.

    Raises
        ValueError: unknown item, or one of another kind; what `check_design` and `PreTraining` raise.
    """
    found = entry(name, tiny)
    if found["kind"] != "runs":
        raise ValueError(f"The item {name!r} is no grid of training runs.")
    if not tiny:
        check_design(found)
    shared = (_further if "model" in found["shared"] else _from_scratch)(dict(found["shared"]), tiny)
    least, most = found["tokens"]
    return Runs(name, shared, found["changes"], list(found["seeds"]), least, most, list(found.get("rates", ())))


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
