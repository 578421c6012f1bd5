"""Every closed form that comes to mind for the padding factor, each as a claim to be tested on a grid."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

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
