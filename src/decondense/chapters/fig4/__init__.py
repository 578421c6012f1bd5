"""Fig. 4: where a training run starts (`start`: untrained models), and what it does to the geometry (`course`)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...condensation import Condensation
from ...paper.claims import Claim, check_claim, judged
from ...runs.run import Run
from ...surveys import Measured
from ...surveys.untrained import Found
from . import course, start
from .course import REVISIONS

__all__ = ["REVISIONS", "claims", "course", "start"]


def claims(
    found: Found,
    repeated: tuple[str, Mapping[int, Sequence[Measured]]],
    runs: Sequence[Run],
    checkpoints: Sequence[Condensation],
    check: pd.DataFrame,
) -> list[Claim]:
    """All claims of the page.

    found
        Untrained models (`untrained.survey`).
    repeated
        One of them, by name, on texts of few tokens (`untrained.repeated`).
    runs, checkpoints
        Training runs made here, and those checkpoints of Olmo-3 that were measured.
    check
        The check runs of both, one table below the other.
    """
    at_start = [*start.claims(found), start.repetition_claim(*repeated)]
    along = [*course.claims(runs), *course.checkpoint_claims(checkpoints)]
    return judged([*at_start, *along, check_claim(check)])
