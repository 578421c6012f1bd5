"""The claims on losses against collapse: this book's own, a test a loss, with the smallest effects of the design."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import training
from .training import DESIGN, LATE, LOSS, compared


def claims(
    runs: Sequence[Run], ratios: Mapping[str, float], resumed: Sequence[Run], check: pd.DataFrame
) -> list[Claim]:
    """`runs`: from scratch, the longer ones of plain training among them; `resumed`: in mid-training, or none.

    ratios
        Of the time of a training step with a loss over that of plain training.
    check
        The table of `grid.check_run`.
    """
    design = designs.load(DESIGN)
    primary, secondary = design.primary, design.secondary
    of = lambda quantity, where: lambda label: training.difference(where, label, quantity)
    timed = lambda label: training.at_equal_time(runs, label, ratios[label])
    found = [
        *_each("from scratch, equal steps: lower validation loss", runs, of(LOSS, runs), primary),
        *_each("from scratch, equal time: lower validation loss", runs, timed, primary),
        *_each("from scratch, equal steps: lower late-half μ", runs, of(LATE, runs), secondary),
        *_each("mid-training, equal steps: lower validation loss", resumed, of(LOSS, resumed), primary),
        check_claim(check),
    ]
    return judged(found)


def _each(
    claim: str, runs: Sequence[Run], difference: Callable[[str], Estimate], wanted: designs.Effect
) -> list[Claim]:
    """One claim for each loss, so that Holm's correction over the page is one over the losses."""
    return [_one(f"{label}: {claim}", difference(label), wanted) for label in compared(runs)]


def _one(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    several = found.units > 1
    nothing = verdicts.not_testable("one seed: no interval over seeds")
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if several else nothing
    return Claim(claim=claim, here=text(found, 3), verdict=tests)
