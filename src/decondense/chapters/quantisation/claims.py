"""The claims on quantisation: this book's own, with the smallest effects of the design."""

from collections.abc import Sequence

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import readings
from .readings import COLLAPSED, FLOOR, KURTOSIS, PLAIN, SPREAD, TRAINED

DESIGN = "quantisation"  # of `paper.designs`
STILL = 0.01  # late-half μ: the tolerance of check runs


def claims(
    runs: Sequence[Run], aware: Sequence[Run], chosen: Sequence[str], turned: Sequence[str], check: pd.DataFrame
) -> list[Claim]:
    """`runs`: rounded afterwards; `aware`: in training (`readings.in_training`).

    chosen, turned
        Labels of the schemes on which arms are compared, and of those that were also measured with a rotation.
    check
        The table of `grid.check_run`.
    """
    design = designs.load(DESIGN)
    less, closing = design.primary, design.secondary
    saved = lambda label, scheme: readings.saved(runs, label, readings.cost(scheme))
    more = less._replace(smallest=-less.smallest)
    peaks = readings.saved(runs, SPREAD, readings.outlier(KURTOSIS))
    found = [_where_enough(runs, f"{s}: spread models lose less", s, saved(SPREAD, s), less) for s in chosen]
    found += [
        _where_enough(runs, f"{s}: a rotation helps plain models more than spread ones", s,
                      readings.closed(runs, SPREAD, s), closing)
        for s in turned
    ]  # fmt: skip
    found += [
        _where_enough(runs, f"{s}: models collapsed on purpose lose more", s, saved(COLLAPSED, s), more) for s in turned
    ]
    trained = readings.saved(aware, SPREAD, readings.cost(TRAINED))
    found.append(_where_enough(aware, "rounded in training: spread models lose less", TRAINED, trained, less))
    fewer = less._replace(reason="as of the loss that rounding adds")
    found.append(_effect("the inputs of spread models have fewer outliers (excess kurtosis)", peaks, fewer))
    still = readings.of_arm(runs, PLAIN, readings.moved("W4"))
    return judged([*found, _no_change("4 bits leave late-half μ of plain models as it is", still), check_claim(check)])


def _where_enough(runs: Sequence[Run], claim: str, scheme: str, found: Estimate, wanted: designs.Effect) -> Claim:
    if not readings.enough(runs, scheme):
        lost = readings.of_arm(runs, PLAIN, readings.cost(scheme)).value
        nothing = verdicts.not_testable(f"plain models lose less than {FLOOR} nats: there is nothing to save")
        return Claim(claim=claim, here=f"plain models lose {lost:.4f} nats", verdict=nothing)
    return _effect(claim, found, wanted)


def _effect(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if found.units > 1 else verdicts.no_interval()
    return Claim(claim=claim, here=f"{text(found, 2)} of what plain models have", verdict=tests)


def _no_change(claim: str, found: Estimate) -> Claim:
    tests = (
        [verdicts.no_change(found, STILL, "the tolerance of a check run")]
        if found.units > 1
        else verdicts.no_interval()
    )
    return Claim(claim=claim, here=text(found, 4), verdict=tests)
