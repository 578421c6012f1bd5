"""Condensation at initialisation: what the paper says beside the recursion and the measurements."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ... import paper
from ...condensation import Condensation
from ...paper import verdicts
from ...paper.claims import Claim, check_claim, judged, number
from ...paper.trends import METRICS
from .recursion import Propagation
from .tables import Mu

TOLERANCE = 0.05  # asked of the prediction at every entry, and of rho and tau
ONE_DRAW = "one draw of the weights a model: no interval"


def claims(
    predicted: dict[str, Propagation], measured: Sequence[Condensation], mu: Mu, check: pd.DataFrame
) -> list[Claim]:
    """The paper's claim on models at initialisation, again, and this book's: the recursion meets the measurement.

    `mu` are profiles of the measured models and of those that another page measured on the same texts
    (`profiles`): for this book's claim alone.
    """
    starts = [_correlation_is_1(name, measured) for name in METRICS]
    return judged([*starts, _recursion_meets({name: predicted[name].mu for name in mu}, mu), check_claim(check)])


def _correlation_is_1(name: str, measured: Sequence[Condensation]) -> Claim:
    symbol, metric, _ = METRICS[name]
    points = paper.table("figure_points")
    first = points[(points.figure == "Fig4") & (points.model == "S1-0")].set_index("metric").loc[metric]
    here = [getattr(r, name) for r in measured]
    return Claim(
        claim=f"at initialisation {symbol} is 1",
        source="Fig. 4",
        published=f"Olmo-3 7B {number(first.value, error=first.error)}",
        here="; ".join(f"{r.name} {value:.3f}" for r, value in zip(measured, here, strict=True)),
        rule=f"each model within {TOLERANCE:g}; one draw of the weights",
        verdict=verdicts.within(here, [1.0] * len(here), TOLERANCE),
        power=ONE_DRAW,
        repeats="the same claim on the page of Figure 4, of several draws",
    )


def _recursion_meets(predicted: Mu, here: Mu) -> Claim:
    apart = {name: float(np.abs(mu - here[name]).max()) for name, mu in predicted.items()}
    entries = sum(len(mu) for mu in predicted.values())
    last = [f"{name} {gap:.3f} ({predicted[name][-1]:.2f} for {here[name][-1]:.2f})" for name, gap in apart.items()]
    return Claim(
        claim="the recursion gives μ at every entry of every model",
        here=f"largest difference, and last entry: {'; '.join(last)}",
        rule=f"a model counts if all its entries lie within {TOLERANCE:g}; {entries} entries",
        verdict=verdicts.exact(sum(gap <= TOLERANCE for gap in apart.values()), len(apart), "models"),
        power=ONE_DRAW,
    )
