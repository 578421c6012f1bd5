"""How far two runs are apart by themselves, beside the published gain of one run and one run."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

from ...paper import accuracies
from ...paper.claims import Claim, number
from ...paper.verdicts import below, each
from ...runs import tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import LEVEL, Interval
from .published import published_gain
from .quantities import ACCURACY, CONDITIONS, QUANTITIES


def spread(runs: Sequence[Run], quantity: Quantity) -> tuple[float, Interval]:
    """Standard deviation of a quantity from run to run, pooled over the `CONDITIONS` of Table 5, and its 95 % interval.

    Runs of other conditions take no part: the published difference is not one of theirs. The square has a chi-square
    distribution with (runs - conditions) degrees of freedom, if runs vary normally and alike in both conditions. NaN
    with one seed.
    """
    table = tables.by_seed([run for run in runs if run.label in CONDITIONS], quantity)
    freedom = int(table.notna().to_numpy().sum()) - len(table)
    if freedom == 0:
        return float("nan"), Interval(np.nan, np.nan)
    squares = float(table.sub(table.mean(axis=1), axis=0).pow(2).to_numpy().sum())
    low, high = (np.sqrt(squares / chi2.ppf(share, freedom)) for share in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return float(np.sqrt(squares / freedom)), Interval(float(low), float(high))


def largest_spread(gain: float) -> float:
    """The spread from run to run at which the difference of two single runs is 1.96 of its standard errors.

    gain / (1.96 sqrt(2)), in the units of the gain.
    """
    return gain / (1.96 * 2**0.5)


def spreads(runs: Mapping[str, Sequence[Run]]) -> dict[str, tuple[float, Interval]]:
    """`spread` of the average on the benchmarks, a model each."""
    return {name: spread(trained, QUANTITIES[ACCURACY]) for name, trained in runs.items()}


def spread_table(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """The spread that the published gain allows, the largest that Table 2 prints for the model, and those seen here."""
    printed = accuracies.mid_trained("std").loc["Qwen3-0.6B"].average.max()
    rows = {"allowed": f"{largest_spread(published_gain()):.2f}", "Table 2, Qwen3-0.6B": f"{printed:.2f}"}
    rows |= {f"here, {name}": number(*found) for name, found in spreads(runs).items()}
    return pd.Series(rows, name="standard deviation (points)").to_frame()


def by_chance(runs: Mapping[str, Sequence[Run]]) -> Claim:
    """Two runs that differ by chance alone would seldom differ as much as Table 5's do, if they vary as runs here."""
    found, gain = spreads(runs), published_gain()
    allowed = largest_spread(gain)
    return Claim(
        claim="the published gain of one run is more than two small runs here differ by",
        published=f"{gain:+.2f}, one run each",
        here="standard deviation " + "; ".join(f"{name} {number(*one)}" for name, one in found.items()),
        rule=f"interval (chi-square) below {allowed:.2f} points, at which the gain is 1.96 errors of a difference",
        verdict=each([below(interval, allowed, name) for name, (_, interval) in found.items()]),
        power="the interval is what so many runs know of a spread",
    )
