"""An exact test of a trend over few values, equal ones among them."""

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import ArrayLike


def monotone_permutation_p(values: ArrayLike) -> float:
    """Share of all orderings of `values` with at least as strong a downward Kendall trend: exact, one-sided.

    With the values fixed, Kendall's tau-b falls as the number of pairs grows whose earlier value is the larger one.
    The orderings with k such pairs are counted by the coefficients of [n]_q! / prod [m]_q!, over the groups of m equal
    values, [n]_q! = prod_{i<=n} (1 + q + ... + q^(i-1)): scipy's exact test knows no equal values. 1 for fewer than
    two values.

    Raises
        ValueError: a value that is not finite has no place in an order.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError("A trend needs finite values; leave the others out.")
    earlier_larger = int(np.triu(values[:, None] > values[None, :], 1).sum())
    counts = _q_factorial(len(values))
    for size in np.unique(values, return_counts=True)[1].tolist():
        counts = polynomial.polydiv(counts, _q_factorial(size))[0]
    return float(counts[earlier_larger:].sum() / counts.sum())


def _q_factorial(n: int) -> np.ndarray:
    product = np.ones(1)
    for i in range(2, n + 1):
        product = np.convolve(product, np.ones(i))
    return product
