"""Appendix D of the paper: the cosine of two vectors under repeated entries and under Gaussian padding.

Repetition (Prop. 1). Let x' hold every entry of x k times, in an order that is the same for y'. Then
<x', y'> = k <x, y> and ||x'||^2 = k ||x||^2, so cos(x', y') = k <x, y> / (sqrt(k) ||x|| sqrt(k) ||y||) = cos(x, y).

Padding (Prop. 2). Let x' = (x, u) and y' = (y, v) with u, v ~ N(0, I_m) independent of each other. Then

    E cos(x', y') = cos(x, y) g(||x||, m) g(||y||, m),   g(r, m) = E[r / sqrt(r^2 + X)],   X ~ chi-squared(m),

since <x', y'> = <x, y> + <u, v>, the directions of u and v are uniform and independent of both lengths, so the term
<u, v> is 0 on average, and the lengths are independent of each other.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from scipy.special import gamma

from ..paper import verdicts
from ..paper.claims import Claim
from ..stats import Interval

GRID_POINTS = 2000  # of the trapezoid rule below; its error is under 1e-13


def shrinkage(r, m):
    """g(r, m) = E[r / sqrt(r^2 + X)], X ~ chi-squared(m): what Gaussian padding does to one side of a cosine.

    Closed form: g(r, m) = sqrt(b) U(1/2, (3 - m) / 2, b) with b = r^2 / 2 and Tricomi's function U. In (0, 1] and 1
    for m = 0; falls with m, grows with r. `r` and `m` are numbers or arrays that broadcast.

    Raises
        ValueError: a norm that is not positive and finite, or a negative number of entries.
    """
    return _moment(r, m, 0.5)


def padding_factor(r, m):
    """E cos(x', y') / cos(x, y) for two vectors of norm `r`, each padded with m Gaussian entries: g(r, m)^2.

    For two norms it is shrinkage(r_x, m) * shrinkage(r_y, m). Bounds with their proofs: `BOUNDS`, `TRUE`.

    Raises
        ValueError: as `shrinkage`.
    """
    return shrinkage(r, m) ** 2


def own_share(r, m):
    """p(r, m) = E[r^2 / (r^2 + X)], X ~ chi-squared(m): the part of the squared length that is not padding.

    Raises
        ValueError: as `shrinkage`.
    """
    return _moment(r, m, 1.0)


def second_moment(cosine, r, m):
    """E cos(x', y')^2 for two vectors of norm `r` (independent padding, m >= 1).

    It is cos(x, y)^2 p^2 + (1 - p)^2 / m with p = `own_share`: the cross term of (<x, y> + <u, v>)^2 is 0 on average,
    and for independent uniform directions E <u, v>^2 = ||u||^2 ||v||^2 / m. So it is not 0 for orthogonal x and y.

    Raises
        ValueError: as `shrinkage`.
    """
    share = own_share(r, m)
    return np.square(cosine) * share**2 + (1 - share) ** 2 / m


def shared_padding(cosine, r, m):
    """E cos(x', y') for two vectors of norm `r` that get the SAME Gaussian entries: 1 - (1 - cos(x, y)) p(r, m).

    Both lengths are then equal, and cos = (<x, y> + X) / (r^2 + X) = 1 - (r^2 - <x, y>) / (r^2 + X). It grows with m.

    Raises
        ValueError: as `shrinkage`.
    """
    return 1 - (1 - np.asarray(cosine)) * own_share(r, m)


def norm_for(factor: float, m: int) -> float:
    """The norm at which `padding_factor` takes the value `factor`, for m >= 1.

    Raises
        ValueError: a factor outside (0, 1), or no padding.
    """
    if not 0 < factor < 1 or m < 1:
        raise ValueError(f"The factor takes every value in (0, 1) for m >= 1; got factor {factor}, m {m}.")
    high = np.sqrt(m * factor / (1 - factor))  # enough by the lower bound r^2 / (r^2 + m)
    return brentq(lambda r: padding_factor(r, m) - factor, 1e-9 * high, 1.001 * high, xtol=1e-12 * high)


def _moment(r, m, power: float):
    """E[(r^2 / (r^2 + X))^power], X ~ chi-squared(m).

    Since a^-q = int_0^inf s^(q-1) e^(-a s) ds / Gamma(q) and E e^(-s X) = (1 + 2 s)^(-m/2), it is
    r^(2q) / Gamma(q) int_0^inf s^(q-1) e^(-s r^2) (1 + 2 s)^(-m/2) ds. With s = e^t the integrand is smooth and falls
    off on both sides, where the trapezoid rule converges exponentially.
    """
    r, m = np.broadcast_arrays(np.asarray(r, dtype=float), np.asarray(m, dtype=float))
    if not (np.isfinite(r).all() and (r > 0).all() and (m >= 0).all()):
        raise ValueError("Norms must be positive and finite, and the number of entries at least 0.")
    squared, entries = r[..., None] ** 2, m[..., None]
    start, end = -np.log(squared + entries) - 36 / power, 5 - np.log(squared)
    t = start + (end - start) * np.linspace(0, 1, GRID_POINTS)
    exponent = power * (t + np.log(squared)) - squared * np.exp(t) - entries / 2 * np.log1p(2 * np.exp(t))
    return trapezoid(np.exp(exponent), t, axis=-1)[()] / gamma(power)


class Bound(NamedTuple):
    """A statement on `padding_factor`: `kind` says what `value(r, m)` is claimed to be, for m of at least `least_m`."""

    kind: Literal["lower", "upper", "equal"]
    value: Callable
    least_m: int = 1


# Every closed form that comes to mind for the factor, each as a claim to be tested.
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
    statement is tightest or most wrong: the least for a lower bound, else the largest).
    """
    rows = {}
    for name, bound in BOUNDS.items():
        table = check(bound, r, m)
        ratio, failing = (table.factor / table.bound).where(table.bound > 0), table[~table.holds]
        where = f"r = {failing.r.iloc[0]:g}, m = {failing.m.iloc[0]:g}" if len(failing) else ""
        nearest = ratio.min() if bound.kind == "lower" else ratio.max()
        rows[name] = {"pairs": len(table), "holds": table.holds.sum(), "first failure": where, "nearest": nearest}
    return pd.DataFrame(rows).T


def repeated(x, counts):
    """`x` with entry i written `counts[i]` times (`counts` may be one number), along the last axis."""
    return np.repeat(x, counts, axis=-1)


def copies(entries: int, wanted: int) -> np.ndarray:
    """How often each of `entries` is written to reach `wanted`: as evenly as it goes, the first ones once more.

    Raises
        ValueError: fewer entries wanted than there are.
    """
    if wanted < entries:
        raise ValueError(f"{entries} entries cannot be repeated to {wanted}; ask for at least as many.")
    return wanted // entries + (np.arange(entries) < wanted % entries)


def cosine(x, y):
    """Cosine of the vectors along the last axis, in float64; NaN for a zero vector."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return (x * y).sum(-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))


def pair(cosine: float, r: float, dimension: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of norm `r` with this cosine in R^dimension (the plane of the first two axes)."""
    x, y = np.zeros((2, dimension))
    x[0], y[:2] = r, (r * cosine, r * np.sqrt(1 - cosine**2))
    return x, y


class Simulated(NamedTuple):
    """Monte Carlo of a padded cosine: mean with its 95 % interval, mean square with its own."""

    mean: float
    interval: Interval
    square: float
    square_interval: Interval


def simulate_padding(cosine_before: float, r: float, m: int, draws: int = 4000, seed: int = 0) -> Simulated:
    """cos((x, u), (y, v)) over `draws` independent paddings u, v ~ N(0, I_m), straight from the definition.

    Memory: two arrays of 500 x m at a time.
    """
    rng = np.random.default_rng(seed)
    x, y = pair(cosine_before, r)
    found = []
    for size in [500] * (draws // 500) + [draws % 500] * (draws % 500 > 0):
        padded = [np.hstack([np.tile(z, (size, 1)), rng.standard_normal((size, m))]) for z in (x, y)]
        found.append(cosine(*padded))
    values = np.concatenate(found)
    return Simulated(*_mean_and_interval(values), *_mean_and_interval(values**2))


def monte_carlo(cosines: Sequence[float], norms: Sequence[float], m: int, draws: int, seed: int = 0) -> pd.DataFrame:
    """Formula and simulation for every cosine and norm: columns before, r, formula, mean, low, high, inside, square.

    `square` is the simulated mean of the squared cosine over `second_moment`; of many 95 % intervals one in twenty
    leaves the formula outside.
    """
    rows = []
    for before in cosines:
        for r in norms:
            found, formula = simulate_padding(before, r, m, draws, seed + len(rows)), before * padding_factor(r, m)
            inside = found.interval.low <= formula <= found.interval.high
            square = found.square / second_moment(before, r, m)
            rows.append((before, r, formula, found.mean, *found.interval, inside, square))
    return pd.DataFrame(rows, columns=["before", "r", "formula", "mean", "low", "high", "inside", "square"])


def claims(changes: Sequence[float], bounds: pd.DataFrame, factors, drawn: pd.DataFrame) -> list[Claim]:
    """Both propositions as this book can state them, the proved bounds, and the formula against the draws.

    `changes`: of the cosine under repetition. `bounds`: `check_all`. `factors`: of the grid. `drawn`: `monte_carlo`.
    """
    z = (np.abs(drawn["mean"] - drawn.formula) / ((drawn.high - drawn.low) / 2 / 1.96)).tolist()
    failures, factors = (bounds.pairs - bounds.holds)[list(TRUE)].astype(float).tolist(), list(map(float, factors))
    rows = [
        ("repeated entries: the cosine stays", "App. D, Prop. 1", "unchanged", f"change {max(changes):.1e}", "1e-12",
         verdicts.within(changes, [0.0] * len(changes), 1e-12)),
        ("Gaussian padding: the cosine shrinks in expectation", "App. D, Prop. 2", "shrinks",
         f"factors {min(factors):.2g} to {max(factors):.4f}", "factor below 1",
         verdicts.all_below(factors, [1 - 1e-12] * len(factors))),
        ("the bounds proved here hold", "this book", "not available", f"{sum(failures):g} failures", "none",
         verdicts.all_below(failures, [0.0] * len(failures))),
        ("the formula meets the draws", "this book", "not stated", f"largest z {max(z):.2f}", "z at most 4",
         verdicts.all_below(z, [4.0] * len(z))),
    ]  # fmt: skip
    names = ("claim", "source", "published", "here", "rule", "verdict")
    return [Claim(**dict(zip(names, row, strict=True))) for row in rows]


def _mean_and_interval(values: np.ndarray) -> tuple[float, Interval]:
    mean, error = float(values.mean()), 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return mean, Interval(mean - error, mean + error)
