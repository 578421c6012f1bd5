"""`Controls`: what lies within texts and what between them, with intervals over the texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from ..stats import RESAMPLES, Interval, percentile_interval
from .quantities import AGAINST_OTHERS, BETWEEN, COSINES, PER_TEXT, SPECTRUM, VIEWS

GROUPS = 64  # of texts, at most: how many vectors an entry are kept for the intervals
FEWEST_PAIRS = 3  # of groups, for an interval of what lies between texts
_ARRAYS = ("names", "per_text", "views", "pairs", "between_different_ids")


def group_numbers(texts: int) -> Int[np.ndarray, "texts"]:
    """The group of each text: its own, but of more than 64 texts some lie next to each other in one group."""
    return np.arange(texts) * min(texts, GROUPS) // texts


def _groups_of_first_third(groups: int) -> Bool[np.ndarray, "groups"]:
    return np.arange(groups) < max(1, groups // 3)


def first_third(texts: int) -> Bool[np.ndarray, "texts"]:
    """The first third of the texts, at least one, in whole groups."""
    return _groups_of_first_third(min(texts, GROUPS))[group_numbers(texts)]


def same_third(texts: int) -> Bool[np.ndarray, "groups groups"]:
    """Pairs of groups that the mean of the same other texts was taken from."""
    first = _groups_of_first_third(min(texts, GROUPS))
    return first[:, None] == first


@dataclass(frozen=True, eq=False, repr=False)
class Controls:
    """What `measure(..., controls=True)` adds; `controls["excess"]` is a number for each entry l = 0..L, as `mu` is.

    `quantities` names them all, `controls.QUANTITIES` is the table of their formulas. Those between texts are U
    statistics over pairs of texts; the others are means over texts. All leave the diagonal out.

    Where the mean c of other texts is needed (centred, standardised, without the top dimensions), the first third of
    the texts (at least one) gives it for the rest, and the rest for the first third, so no text is part of its own c.
    c and s leave out token 0 and tokens whose norm is above 10 x the median of their text, which would rule them;
    the cosines are those of all tokens. Between texts only pairs with the same c count (both in the first third, or
    both in the rest). With T' texts behind c, its own error leaves about 1 / T' of the excess between texts: what is
    left is 0 only beyond that.

    names, per_text
        Numbers of each text at each row. Rows are the entries 0..L, and one more: the output of the last block, before
        the final norm (`before_final_norm`); where entry L is that already, the two are equal.
    views, pairs
        For each view of the tokens the sum of <m_s, m_t> over the pairs of different texts of two groups, a text a
        group up to 64 texts. 0 where no pair counts.
    between_different_ids
        The one number between texts that has no interval: it would need all tokens of all texts at once.
    seed
        Of the bootstrap.

    A vector that is not finite makes its row NaN, as in `Condensation`. A number that one text does not have (no rare
    token; a quarter of fewer than two tokens) is NaN for all.
    """

    names: tuple[str, ...]
    per_text: Float[np.ndarray, "names texts rows"]
    views: tuple[str, ...]
    pairs: Float[np.ndarray, "views rows groups groups"]
    between_different_ids: Float[np.ndarray, "rows"]
    seed: int

    def __repr__(self) -> str:
        return f"<Controls: {len(self.quantities)} quantities, {self.texts} texts, {len(self['within'])} entries>"

    @property
    def texts(self) -> int:
        """How many there are."""
        return self.per_text.shape[1]

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of all quantities."""
        return (*self.names, *BETWEEN)

    def __getitem__(self, name: str) -> Float[np.ndarray, "entries"]:
        """The quantity at each entry; KeyError for a name that is not one of `quantities`."""
        return self._rows(name)[:-1]

    def before_final_norm(self, name: str) -> float:
        """The quantity in the output of the last block, before the final norm."""
        return float(self._rows(name)[-1])

    def of_texts(self, name: str) -> Float[np.ndarray, "texts entries"]:
        """The number of each text; KeyError for a quantity between texts, which are of pairs."""
        return self.per_text[self.names.index(name), :, :-1] if name in self.names else self._unknown(name)

    def interval(self, name: str) -> Interval:
        """95 % bootstrap interval over the texts at each entry: two arrays, low and high.

        Where a mean c of other texts is used, c is held fixed, so its own error is not in the interval.

        NaN with fewer than two texts, between texts with fewer than three pairs, and for `between_different_ids`.
        """
        entries = len(self[name])
        draws = self.resampled(name)
        if not len(draws):
            return Interval(np.full(entries, np.nan), np.full(entries, np.nan))
        return percentile_interval(draws, self.texts)

    def resampled(self, name: str) -> Float[np.ndarray, "resamples entries"]:
        """The quantity in up to 2,000 bootstrap resamples of the texts; the same draws for the same seed and number.

        A text that is drawn twice makes no pair with itself. Resamples without any pair are left out; none are left
        where the interval would rest on fewer than three pairs.
        """
        draws = _draws(self.texts, self.seed)
        if name not in self.names:
            if name == "between_different_ids":
                return np.empty((0, len(self[name])))
            counts = self._counts(self._parsed(name)[1])
            if np.count_nonzero(np.triu(counts)) < FEWEST_PAIRS:
                return np.empty((0, len(self[name])))
            draws = draws[((draws @ counts) * draws).sum(1) > 0]
        return self.at_draws(name, draws)

    def at_draws(self, name: str, draws: Int[np.ndarray, "draws groups"]) -> Float[np.ndarray, "draws entries"]:
        """The quantity in samples that hold each group of texts (`group_numbers`) so many times.

        NaN between texts where a sample has no pair. KeyError for `between_different_ids`, which is of all texts at
        once.
        """
        if name in self.names:
            return self._means(draws, name)[:, :-1]
        part, view = self._parsed(name)
        between = self._between(draws, view)[:, :-1]
        return between if part == "between" else self._means(draws, f"within{view}")[:, :-1] - between

    def _rows(self, name: str) -> Float[np.ndarray, "rows"]:
        if name in self.names:
            return self.per_text[self.names.index(name)].mean(0)
        if name == "between_different_ids":
            return self.between_different_ids
        part, view = self._parsed(name)
        between = self._between(np.ones((1, self.pairs.shape[2]), dtype=int), view)[0]
        return between if part == "between" else self._rows(f"within{view}") - between

    def _parsed(self, name: str) -> tuple[str, str]:
        part, mark, rest = name.partition("_")
        view = mark + rest
        return (part, view) if part in ("between", "excess") and view in self.views else self._unknown(name)

    def _unknown(self, name: str):
        raise KeyError(f"{name!r}: not measured; there are {', '.join(self.quantities)}.")

    def _counts(self, view: str) -> Int[np.ndarray, "groups groups"]:
        """How many ordered pairs of different texts two groups have that count in this view."""
        size = np.bincount(group_numbers(self.texts))
        counts = np.outer(size, size) - np.diag(size)
        return np.where(same_third(self.texts), counts, 0) if view in AGAINST_OTHERS else counts

    def _between(self, draws: Int[np.ndarray, "draws groups"], view: str) -> Float[np.ndarray, "draws rows"]:
        pairs, counts = self.pairs[self.views.index(view)], self._counts(view)
        total = np.stack([((draws @ of_row) * draws).sum(1) for of_row in pairs], 1)
        number = ((draws @ counts) * draws).sum(1)[:, None]
        return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)

    def _means(self, draws: Int[np.ndarray, "draws groups"], name: str) -> Float[np.ndarray, "draws rows"]:
        """Means over the texts, those of a group together."""
        group = group_numbers(self.texts)
        values = self.per_text[self.names.index(name)]
        total = np.zeros((draws.shape[1], values.shape[1]))
        np.add.at(total, group, values)
        return draws @ total / (draws @ np.bincount(group))[:, None]

    def arrays(self) -> dict[str, np.ndarray]:
        """All but the seed as arrays, for an `.npz` file."""
        return {name: np.asarray(getattr(self, name)) for name in _ARRAYS}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], seed: int) -> "Controls":
        """What `arrays` gave; those of a file are for `check` first."""
        texts = {name: tuple(arrays[name].tolist()) for name in ("names", "views")}
        return cls(**{name: arrays[name] for name in _ARRAYS} | texts, seed=seed)


@lru_cache(maxsize=2)
def _draws(texts: int, seed: int) -> Int[np.ndarray, "resamples groups"]:
    """How often each group is drawn; up to 64 texts the same draws as those of mu."""
    groups = min(texts, GROUPS)
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)


def check(arrays: Mapping[str, np.ndarray], texts: int, entries: int) -> None:
    """Whether arrays of a file are those of `Controls`.

    Raises
        ValueError: what is wrong.
    """
    if absent := [name for name in _ARRAYS if name not in arrays]:
        raise ValueError(f"it has no {absent[0]} of its controls")
    for name, wanted in (("names", PER_TEXT), ("views", VIEWS)):
        array = arrays[name]
        known = (wanted, wanted + SPECTRUM) if name == "names" else (wanted,)
        if array.dtype.kind != "U" or array.ndim != 1 or tuple(array.tolist()) not in known:
            raise ValueError(f"the {name} of its controls are not those of this release")
    rows, groups = entries + 1, min(texts, GROUPS)
    shapes = {
        "per_text": (len(arrays["names"]), texts, rows),
        "pairs": (len(arrays["views"]), rows, groups, groups),
        "between_different_ids": (rows,),
    }
    for name, shape in shapes.items():
        if arrays[name].dtype.kind != "f" or arrays[name].shape != shape:
            raise ValueError(f"{name} of its controls is {arrays[name].dtype} of shape {arrays[name].shape}")
    cosines = arrays["per_text"][[name in COSINES for name in arrays["names"].tolist()]]
    largest = np.bincount(group_numbers(texts)).max() ** 2
    for values, bound in ((cosines, 1), (arrays["between_different_ids"], 1), (arrays["pairs"], largest)):
        if (np.abs(values) > 1.001 * bound).any():
            raise ValueError("a mean cosine of its controls is not within [-1, 1]")
