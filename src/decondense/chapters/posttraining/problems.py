"""What runs are trained on: sums that are made here, or the problems of a data set by its name; and the rewards."""

from collections.abc import Mapping, Sequence
from types import ModuleType

from ...base.errors import unknown
from . import arithmetic, grade_school
from .arithmetic import Sum

NAMED = {grade_school.NAME: grade_school}
HELD_OUT_SEED = 12345  # of the problems that no run is trained on


def maker(data: Mapping) -> ModuleType:
    """The module that makes the rows and the rewards: `rewards`, `training`, `held_out` and `about`.

    data
        `name` of a data set, one of `NAMED`; without one these are sums, up to the `largest` number. `problems` a run
        is trained on, `held_out` ones.

    Raises
        ValueError: an unknown name.
    """
    if "name" not in data:
        return arithmetic
    if data["name"] not in NAMED:
        raise unknown("data set", data["name"], NAMED)
    return NAMED[data["name"]]


def held_out(data: Mapping, sources: Sequence[str]) -> list[Sum]:
    """The same for every run."""
    return maker(data).held_out(data, HELD_OUT_SEED, sources)


def training(data: Mapping, seed: int, sources: Sequence[str], others: Sequence[Sum]) -> list[Sum]:
    """Those of a seed that are not among `others`, which are held out."""
    return arithmetic.apart(maker(data).training(data, seed, sources), others)
