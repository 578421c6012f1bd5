"""Which printed means and spreads can be, when each comes from a few runs that each count right answers on n items.

An accuracy of one run on n items is a multiple of 100/n per cent, so a mean of k runs is a multiple of 100/(k n), and
its spread comes from a sum of squares of k integers. Printed values are taken as closed intervals of half a unit of
the last digit around them, which allows every rule of rounding. All values in per cent.
Source of the idea: Brown and Heathers 2017 (GRIM, for means), Anaya 2016 (GRIMMER, for spreads).
"""

from collections.abc import Callable, Iterable
from functools import cache, partial

import numpy as np
from jaxtyping import Bool

from ...paper.rounding import HALF

SPREADS = 6.0  # the largest printed spread that the tables of sums of squares are made for
_EPS = 1e-9


@cache
def sums_of_squares(runs: int, largest: int) -> Bool[np.ndarray, "sums squares"]:
    """Whether `runs` integers exist that sum to r (row, 0 <= r < runs) and whose squares sum to q (0 <= q <= largest).

    Found by adding one integer after the other. All other sums follow by a shift of every integer.
    """
    reach, bound = int(np.sqrt(largest)), int(np.sqrt(runs * largest)) + 1
    found = np.zeros((2 * bound + 1, largest + 1), dtype=bool)
    found[bound, 0] = True
    for _ in range(runs):
        longer = np.zeros_like(found)
        for d in range(-reach, reach + 1):
            before = found[max(0, -d) : len(found) - max(0, d), : largest + 1 - d * d]
            longer[max(0, d) : len(found) - max(0, -d), d * d :] |= before
        found = longer
    return found[bound : bound + runs]


def is_mean_of(mean: float, std: float, runs: int, n_items: int, ddof: int = 1, half: float = HALF) -> bool:
    """Whether a printed mean and standard deviation can be those of `runs` runs on `n_items` items each.

    With one run only the mean is checked. The runs' counts c have the sum S and, with r = S mod runs and q the sum of
    squares around the multiple of `runs` below S, the variance (q - r^2 / runs) / (runs - ddof) (100 / n_items)^2.
    """
    step = 100 / n_items
    low = int(np.ceil((mean - half) * runs / step - _EPS))
    high = int(np.floor((mean + half) * runs / step + _EPS))
    if runs == 1:
        return low <= high
    residues = {total % runs for total in range(low, high + 1)}
    return any(_has_spread(std, runs, n_items, residue, ddof, half) for residue in residues)


def is_one_of(value: float, std: float, runs: int, n_items: int, ddof: int = 1, half: float = HALF) -> bool:
    """Whether a printed value can be that of a single run, beside the standard deviation of `runs` runs.

    So it is when the runs' median is printed (of an odd number of runs), or the value of one chosen run.
    """
    spread = any(_has_spread(std, runs, n_items, residue, ddof, half) for residue in range(runs))
    return spread and is_mean_of(value, 0.0, 1, n_items, half=half)


def _has_spread(std: float, runs: int, n_items: int, residue: int, ddof: int, half: float) -> bool:
    per_square = (n_items / 100) ** 2 * (runs - ddof)
    low = np.ceil(max(std - half, 0) ** 2 * per_square + residue**2 / runs - _EPS)
    high = np.floor((std + half) ** 2 * per_square + residue**2 / runs + _EPS)
    largest = int((SPREADS + HALF) ** 2 * per_square + runs)
    if high > largest:
        raise ValueError(f"A spread of {std:g} points is above {SPREADS:g}, up to which the tables go.")
    return bool(sums_of_squares(runs, largest)[residue, int(low) : int(high) + 1].any())


RULES = {  # what a printed cell may be -> whether (mean, std, n_items) can be that
    "mean of 2": partial(is_mean_of, runs=2),
    "mean of 3": partial(is_mean_of, runs=3),
    "mean of 4": partial(is_mean_of, runs=4),
    "one run, spread of 2": partial(is_one_of, runs=2),
    "one run, spread of 3": partial(is_one_of, runs=3),
}


@cache
def chance(rule: str, std: float, n_items: int) -> float:
    """Share of printable cells near a printed spread that the rule of `RULES` allows: small, and the rule says much.

    Over the ten last digits of the mean, and the spreads within 0.3 of `std`. The sizes of this book's tables divide a
    whole point into whole steps, so that ten digits are all there are.
    """
    check: Callable = RULES[rule]
    means = 50 + np.arange(10) / 10
    stds = [s for s in np.round(std + np.arange(-3, 4) / 10, 1) if s >= 0]
    return float(np.mean([check(float(m), float(s), n_items=n_items) for m in means for s in stds]))


@cache
def chance_of_one(std: float, runs: int, n_items: int, half: float = HALF) -> float:
    """Chance that the mean of `runs` runs is one that a single run can have, given their printed spread.

    A mean of k runs on n items is a multiple of the step of one run where k divides the sum of the counts. All sets of
    counts with this spread are taken as equally likely. 1 / k where no set, or none with such a sum, has the spread:
    then it says nothing.
    """
    step = 100 / n_items
    reach = int((std + half) / step * np.sqrt(2 * (runs - 1))) + 1
    others = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * (runs - 1)), -1).reshape(-1, runs - 1)
    counts = np.hstack([np.zeros((len(others), 1)), others])  # a shift of all counts changes nothing
    fits = np.abs(step * counts.std(axis=1, ddof=1) - std) <= half + _EPS
    share = float((counts[fits].sum(1) % runs == 0).mean()) if fits.any() else 0.0
    return share or 1 / runs


def fitting_sizes(values: Iterable[float], sizes: Iterable[int], half: float = HALF) -> list[int]:
    """The numbers of items, out of `sizes`, for which every printed value can be the accuracy of a single run."""
    values = list(values)
    return [n for n in sizes if all(is_mean_of(value, 0.0, 1, n, half=half) for value in values)]
