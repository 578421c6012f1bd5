"""Training runs: one configuration a run, its record, and grids of them.

`MidTraining` and `PreTraining` say what a run does (`configuration`), `loop` makes it, `store` keeps its record,
`grid` makes many of them (in `workers`, or as jobs of a `cluster`), `run` reads one, `tables` and `readings` compare.
"""

from collections.abc import Mapping

from ..base.extras import require

require("pandas", "yaml", extra="train")

from .configuration import Configuration
from .midtraining import MidTraining
from .pretraining import PreTraining

__all__ = ["Configuration", "MidTraining", "PreTraining", "read"]


def read(config: Mapping, where: str = "this configuration") -> Configuration:
    """The run that a record's configuration describes.

    where
        Names its origin (a file) in an error.

    Raises
        ValueError: no kind of run can read it.
    """
    kind = PreTraining if "shape" in config else MidTraining
    try:
        return kind.read(config)
    except ValueError as error:
        raise ValueError(f"{where} is of no run that this version knows: {error}") from error
