"""The geometry that a run of a chapter's own left in its record: one measurement, after the last step."""

from functools import lru_cache
from pathlib import Path

from .. import metrics
from ..condensation import Condensation
from .run import Run
from .tables import Quantity


def measured(run: Run) -> Condensation:
    """The measurement beside the record; each file is read once."""
    return _read(run.record.arrays)


@lru_cache(maxsize=512)
def _read(path: Path) -> Condensation:
    return Condensation.load(path)


def late_half(control: str | None = None) -> Quantity:
    """μ (without `control`), or one of the controls of `measure`, as mean over the late half of the entries."""

    def quantity(run: Run) -> float:
        found = measured(run)
        return float(metrics.mean_of_last(found.mu if control is None else found.controls[control], None))

    return quantity
