"""Repeated entries (Appendix D, Prop. 1): the cosine stays if every entry is written equally often.

Let x' hold every entry of x k times, in an order that is the same for y'. Then <x', y'> = k <x, y> and
||x'||^2 = k ||x||^2, so cos(x', y') = k <x, y> / (sqrt(k) ||x|| sqrt(k) ||y||) = cos(x, y).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd


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


def changes(width: int, seed: int = 0, copies: Sequence[int] = (1, 2, 3, 10)) -> pd.Series:
    """Largest change of the cosine of 500 pairs of Gaussian vectors, by how often every entry is written."""
    x, y = _gaussian(width, seed)
    before = cosine(x, y)
    found = {k: np.abs(cosine(repeated(x, k), repeated(y, k)) - before).max() for k in copies}
    return pd.Series(found, name="largest change")


def uneven(width: int, wider: int, seed: int = 0) -> pd.Series:
    """Repetition from `width` to `wider` entries, as evenly as it goes: what it does to the pairs of `changes`.

    Beside them the worst case: (1, 1) and (1, -1), which are orthogonal, with one entry written more often.
    """
    x, y = _gaussian(width, seed)
    counts = copies(width, wider)
    few, many = counts.min(), counts.max()
    change = np.abs(cosine(repeated(x, counts), repeated(y, counts)) - cosine(x, y)).max()
    rows = {
        "entries written more often": (counts == many).sum(),
        "copies, fewest": few,
        "copies, most": many,
        "largest change, Gaussian": change,
        "orthogonal example": cosine(repeated([1, 1], [many, few]), repeated([1, -1], [many, few])),
    }
    return pd.Series(rows, name="value")


def _gaussian(width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, 500, width))
