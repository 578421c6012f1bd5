"""What Gaussian padding does to the mean cosine of two vectors (Appendix D, Prop. 2), by formula.

Let x' = (x, u) and y' = (y, v) with u, v ~ N(0, I_m) independent of each other. Then

    E cos(x', y') = cos(x, y) g(||x||, m) g(||y||, m),   g(r, m) = E[r / sqrt(r^2 + X)],   X ~ chi-squared(m),

since <x', y'> = <x, y> + <u, v>, the directions of u and v are uniform and independent of both lengths, so the term
<u, v> is 0 on average, and the lengths are independent of each other.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from scipy.special import gamma

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


def by_norm(norms: Sequence[float], m: int) -> pd.DataFrame:
    """For vectors of each norm r: the factor, the spread of orthogonal ones, where the same padding takes them."""
    r = np.asarray(norms, dtype=float)
    columns = {"r": r, "factor": padding_factor(r, m), "spread at cosine 0": np.sqrt(second_moment(0.0, r, m))}
    return pd.DataFrame(columns | {"shared padding, from 0 to": shared_padding(0.0, r, m)})


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
