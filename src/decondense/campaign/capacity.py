"""The item `capacity`: small models trained on data that can only be memorised, of page 34 at its sizes for a GPU."""

from collections.abc import Callable, Mapping

from ..chapters.capacity import larger, training
from . import one_by_one


def make(entry: Mapping, tiny: bool, seconds: float, say: Callable[[str], None]) -> bool:
    """Whether all runs are done (`one_by_one.make`)."""
    return one_by_one.make(larger.ITEM, larger.cases(entry), training.find, training.run, seconds, say)
