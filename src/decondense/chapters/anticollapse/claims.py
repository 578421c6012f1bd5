"""The claims on losses against collapse: this book's own, a test a loss, with the smallest effects of the design."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import training
from .training import DESIGN, LATE, LOSS, RESUMED, compared


def claims(
    runs: Sequence[Run], ratios: Mapping[str, float], resumed: Sequence[Run], ratios_resumed: Mapping[str, float],
    check: pd.DataFrame,
) -> list[Claim]:  # fmt: skip
    """`runs`: from scratch, the longer ones of plain training among them; `resumed`: in further training, likewise.

    ratios, ratios_resumed
        Of the time of a training step with a loss over that of plain training.
    check
        The table of `grid.check_run`.
    """
    scratch = _of("from scratch", runs, ratios, designs.load(DESIGN))
    further = _of("mid-training", resumed, ratios_resumed, designs.load(RESUMED))
    return judged([*scratch, *further, check_claim(check)])


def _of(where: str, runs: Sequence[Run], ratios: Mapping[str, float], design: designs.Design) -> Iterator[Claim]:
    """Three claims for each loss, so that Holm's correction over the page is one over the losses."""
    primary, secondary = design.primary, design.secondary
    for label in compared(runs):
        at_steps = lambda quantity, label=label: training.difference(runs, label, quantity)
        yield _one(f"{label}: {where}, equal steps: lower {LOSS}", at_steps(LOSS), primary)
        timed = training.at_equal_time(runs, label, ratios[label])
        yield _one(f"{label}: {where}, equal time: lower {LOSS}", timed, primary)
        yield _one(f"{label}: {where}, equal steps: lower {LATE}", at_steps(LATE), secondary)


def _one(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    several = found.units > 1
    nothing = verdicts.not_testable("one seed: no interval over seeds")
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if several else nothing
    timing = f" ± {found.systematic:.3f} of timing" if found.systematic else ""
    return Claim(claim=claim, here=f"{text(found, 3)}{timing}", verdict=tests)
