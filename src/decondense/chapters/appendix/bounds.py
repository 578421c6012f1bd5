"""The printed bounds of the padding factor, and other closed forms, each as a claim to be tested on a grid."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from .factors import own_share, padding_factor


class Bound(NamedTuple):
    """A statement on `padding_factor`: `kind` says what `value(r, m)` is claimed to be, for m of at least `least_m`."""

    kind: Literal["lower", "upper", "equal"]
    value: Callable
    least_m: int = 1


BOUNDS = {
    "≥ r²/(r²+m)": Bound("lower", lambda r, m: r**2 / (r**2 + m)),
    "≤ r²/(r²+m)": Bound("upper", lambda r, m: r**2 / (r**2 + m)),
    "= r²/(r²+m)": Bound("equal", lambda r, m: r**2 / (r**2 + m)),
    "≤ p(r, m)": Bound("upper", own_share),
    "≤ r²/(r²+m−2)": Bound("upper", lambda r, m: r**2 / (r**2 + m - 2), least_m=2),
    "≤ r²/(r²+m−3/2)": Bound("upper", lambda r, m: r**2 / (r**2 + m - 1.5), least_m=2),
    "≤ r²/(r²+m−1)": Bound("upper", lambda r, m: r**2 / (r**2 + m - 1)),
    "≤ r²/m": Bound("upper", lambda r, m: r**2 / m),
    "≤ 1/(m+1)": Bound("upper", lambda r, m: 1 / (m + 1) + 0 * r),
    "< 1": Bound("upper", lambda r, m: np.ones_like(r * m, dtype=float)),
}
# App. D, Prop. 2 states <x, y> / (r^2 + m) and <x, y> / (r^2 + m - 1) around the mean; with <x, y> = r^2 cos(x, y):
LOWER, UPPER = "≥ r²/(r²+m)", "≤ r²/(r²+m−1)"
# Those with a proof (notebook `appendix`). m - 3/2 is exact for r -> 0 to first order in 1/m; no proof is given here.
TRUE = ("≥ r²/(r²+m)", "≤ p(r, m)", "≤ r²/(r²+m−2)", "< 1")
ROUNDING = 1e-12  # relative


def check(bound: Bound, r, m) -> pd.DataFrame:
    """A statement on a grid: columns r, m, factor, bound, holds; one row for every pair with m >= `least_m`."""
    r, m = (np.ravel(a) for a in np.meshgrid(np.asarray(r, dtype=float), np.asarray(m, dtype=float)))
    r, m = r[m >= bound.least_m], m[m >= bound.least_m]
    factor, value = padding_factor(r, m), bound.value(r, m)
    slack = {"lower": factor - value, "upper": value - factor, "equal": -np.abs(factor - value)}[bound.kind]
    return pd.DataFrame({"r": r, "m": m, "factor": factor, "bound": value, "holds": slack >= -ROUNDING * factor})


def check_all(r, m) -> pd.DataFrame:
    """All of `BOUNDS` on a grid, one row a statement.

    Columns: pairs, holds (how many), first failure (`r = ..., m = ...` or empty), nearest (factor / bound where the
    statement is tightest or most wrong: the least for a lower bound, else the largest), proved (yes or no).
    """
    rows = {}
    for name, bound in BOUNDS.items():
        table = check(bound, r, m)
        ratio, failing = (table.factor / table.bound).where(table.bound > 0), table[~table.holds]
        where = f"r = {failing.r.iloc[0]:g}, m = {failing.m.iloc[0]:g}" if len(failing) else ""
        nearest = ratio.min() if bound.kind == "lower" else ratio.max()
        rows[name] = {"pairs": len(table), "holds": table.holds.sum(), "first failure": where, "nearest": nearest}
        rows[name]["proved"] = "yes" if name in TRUE else "no"
    return pd.DataFrame(rows).T


def failing_norm(m: int) -> float:
    """r*(m): the printed upper bound `UPPER` fails for every shorter vector, for m >= 2; about sqrt(m / 2).

    For long vectors, with a = r^2 + m, the factor is r^2 / a (1 + 3 m / (2 a^2) + ...) by Taylor's formula at E X = m
    and Var X = 2 m, the bound r^2 / a (1 + 1 / a + ...): they meet where a = 3 m / 2.

    Raises
        ValueError: m below 2, where the bound is 1 and holds for every norm.
    """
    if m < 2:
        raise ValueError(f"With one entry the bound is 1, which holds for every norm; got m = {m}.")
    excess = lambda r: padding_factor(r, m) / BOUNDS[UPPER].value(r, m) - 1
    return float(brentq(excess, 0.1, 2 * np.sqrt(m)))


def printed(r: float, entries: Sequence[int]) -> pd.DataFrame:
    """The printed bounds beside the factor by number of entries m: r^2 divided by each, so that digits can be read.

    Columns: lower, factor, upper; holds (the upper one), and `fails below`, `failing_norm`: 0 for m = 1.
    """
    rows = {}
    for m in entries:
        lower, upper = (r**2 / BOUNDS[name].value(r, m) for name in (LOWER, UPPER))
        row = {"r² / lower bound": lower, "r² / factor": r**2 / padding_factor(r, m), "r² / upper bound": upper}
        holds = bool(check(BOUNDS[UPPER], [r], [m]).holds.all())
        rows[m] = row | {"upper bound holds": holds, "fails below r": failing_norm(m) if m > 1 else 0.0}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("m")
