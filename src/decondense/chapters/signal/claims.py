"""Condensation at initialisation: what the paper says beside the recursion and the measurements."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ... import paper
from ...condensation import Condensation
from ...paper import verdicts
from ...paper.claims import Claim, check_claim, number
from ...paper.trends import METRICS
from .recursion import Propagation
from .tables import Mu

TOLERANCE = 0.05  # asked of the prediction at every entry


def claims(
    predicted: dict[str, Propagation], measured: Sequence[Condensation], mu: Mu, check: pd.DataFrame
) -> list[Claim]:
    """The paper's claim on models at initialisation, and this book's: the recursion meets the measurement.

    `mu` are profiles of the measured models and of those that another page measured on the same texts
    (`profiles`): for this book's claim alone.
    """
    starts = [_correlation_is_1(name, measured) for name in METRICS]
    return [*starts, *(_recursion_meets(name, predicted[name].mu, mu[name]) for name in mu), check_claim(check)]


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
        rule=f"{TOLERANCE:g}",
        verdict=verdicts.within(here, [1.0] * len(here), TOLERANCE),
    )


def _recursion_meets(name: str, mu: np.ndarray, here: np.ndarray) -> Claim:
    return Claim(
        claim=f"{name}: the recursion gives μ at every entry",
        here=f"largest difference {np.abs(mu - here).max():.3f}; last entry {mu[-1]:.2f} for {here[-1]:.2f}",
        rule=f"{TOLERANCE:g}",
        verdict=verdicts.within(here.tolist(), mu.tolist(), TOLERANCE),
    )
