"""The claims on designs that resist: this book's own, with the smallest effects of the designs of the runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...models.variants.designs import REFERENCE
from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged, of_each
from ...paper.verdicts import REPRODUCED
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import readings
from .readings import LATE, LOSS, Found

DESIGN, OF_LOSS, OF_EXPERTS = "resist", "resist_dispersion", "resist_experts"  # of `paper.designs`
WITHIN = 0.05  # of the measurement, at every entry: the recursion's tolerance, as on page 22
Curves = Mapping[str, Sequence[float]]  # mu at every entry, by design


def claims(
    found: Found, mixtures: Sequence[Run], untrained: Sequence[Run], predicted: Curves, measured: Curves,
    check: pd.DataFrame,
) -> list[Claim]:  # fmt: skip
    """found: runs of every design; mixtures, untrained: those of mixtures of experts, and these before training;
    predicted, measured: mu before training.

    Whether a design costs anything is asked of those alone that resist. check: tables of check runs.
    """
    design, of_loss = designs.load(DESIGN), designs.load(OF_LOSS)
    lower = [_lower(name, one, design.primary) for name, one in readings.against_reference(found, LATE).items()]
    costs = readings.against_reference(found, LOSS)
    costs = {name: costs[name] for name in resisting(found)}
    spread, gain = (_with(found, readings.of_loss(found, quantity)) for quantity in (LATE, LOSS))
    return judged(
        [
            *lower,
            _no_cost(costs, design.secondary),
            of_each("dispersion lowers late-half μ in every design", spread, *of_loss.primary[1:3]),
            of_each("dispersion lowers the validation loss of every design", gain, *of_loss.secondary[1:3]),
            recursion(predicted, measured),
            *_experts(mixtures, untrained),
            check_claim(check),
        ]
    )


def resisting(found: Found) -> list[str]:
    """The designs of which the first family alone says that they resist."""
    wanted = designs.load(DESIGN).primary
    first = [_lower(name, one, wanted) for name, one in readings.against_reference(found, LATE).items()]
    names = [name for name in found if name != REFERENCE]
    return [name for name, claim in zip(names, judged(first), strict=True) if claim.verdict.word == REPRODUCED]


def _with(found: Found, apart: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Those that have an interval."""
    return {name: apart[name] for name in found if apart[name].units > 1}


def _lower(name: str, found: Estimate, wanted: designs.Effect) -> Claim:
    return _apart(f"{name}: late-half μ lower than that of {REFERENCE}", found, wanted)


def _no_cost(costs: Mapping[str, Estimate], wanted: designs.Effect) -> Claim:
    claim = "no design that resists has a higher validation loss"
    if any(one.units < 2 for one in costs.values()):
        return Claim(claim=claim, here="one seed", verdict=verdicts.no_interval())
    return of_each(claim, costs, wanted.smallest, wanted.reason, verdicts.not_beyond)


def recursion(predicted: Curves, measured: Curves) -> Claim:
    """The recursion meets every untrained model at every entry."""
    apart = {name: float(np.abs(np.subtract(predicted[name], mu)).max()) for name, mu in measured.items()}
    entries = sum(map(len, measured.values()))
    return Claim(
        claim="before training, the recursion gives μ of every design",
        here=f"largest difference: {'; '.join(f'{name} {gap:.3f}' for name, gap in apart.items())}",
        rule=f"a design counts if all its entries lie within {WITHIN:g}; {entries} entries",
        verdict=verdicts.exact(sum(gap <= WITHIN for gap in apart.values()), len(apart), "designs"),
        power="one draw of the weights a design: no interval",
    )


def _experts(mixtures: Sequence[Run], untrained: Sequence[Run]) -> list[Claim]:
    design = designs.load(OF_EXPERTS)
    claim = "training makes the tokens that one expert sees more alike, beside all tokens"
    later = readings.by_training(mixtures, untrained, first=1)
    return [
        _apart(f"mixture of experts: {claim}", readings.by_training(mixtures, untrained), design.primary),
        _apart(f"mixture of experts, without the first block: {claim}", later, design.secondary),
    ]


def _apart(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if found.units > 1 else verdicts.no_interval()
    return Claim(claim=claim, here=text(found, 3), verdict=tests)
