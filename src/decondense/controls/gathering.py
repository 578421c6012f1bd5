"""The controls gathered from hidden states that come one text and one entry at a time."""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..metrics import without_autocast
from . import spectrum
from .quantities import AGAINST_OTHERS, FEWER, PER_TEXT, SHARES, SPECTRUM, VIEWS
from .reference import TOP, Moments, Reference, massive, merged, moments, reference
from .repeats import Repeats
from .result import Controls, first_third, group_numbers, same_third
from .sums import Sums, cosines_to_others, exact, joined, means, of_subsets, without_dimensions
from .sums import within as within_text

RUN = 32  # tokens in a row that two texts rarely have in common by chance
HOW = (
    "means, deviations and directions of the other texts: the first third's for the rest, the rest's for the first "
    "third, without token 0 and massive tokens"
)


class Passage(NamedTuple):
    """Texts to send through the model, what sees their states, and whether they come by for the first time."""

    texts: list[int]
    see: Callable[[int, int, Tensor], None] | None
    first: bool


class Gathering:
    """Sees every entry of every text in `passages`, and has a `result` then.

    Row l of an entry is l, and row L + 1 is the output of the last block, before the final norm. Of a text is kept what
    `Controls` has for it; beside that memory grows with the features: for each row and view one vector for each of at
    most 64 groups of texts, for each row the mean and deviation of two thirds, and one vector for each id that
    several texts have (at most 1,024).

    Warns of two texts that overlap.

    Raises
        ValueError: two texts with the same tokens.
    """

    def __init__(self, sequences: Sequence[Tensor], eps: float, everything: bool):
        _refuse_duplicates(sequences)
        _warn_of_overlap(sequences)
        self.eps, self.everything, self.texts = eps, everything, len(sequences)
        self.group, self.first = group_numbers(self.texts), first_third(self.texts)
        self.repeats = Repeats(sequences)
        counts = self.repeats.occurrences
        median = torch.cat(counts).median()
        self.rare = [of_text < median for of_text in counts]
        self.moments: dict[tuple[bool, int], Moments | None] = {}
        self.sums: dict[int, Tensor] = {}
        self.own: dict[int, Tensor] = {}
        self.values: dict[tuple[int, int], Tensor] = {}

    @property
    def passages(self) -> list[Passage]:
        """1 + 1/3 times all texts; a text alone comes by once."""
        first, rest = np.flatnonzero(self.first).tolist(), np.flatnonzero(~self.first).tolist()
        if not rest:
            return [Passage(first, self.measure, True)]
        return [Passage(first, self.learn, True), Passage(rest, self._both, True), Passage(first, self.measure, False)]

    def _both(self, row: int, text: int, z: Tensor) -> None:
        self.learn(row, text, z)
        self.measure(row, text, z)

    @without_autocast
    def learn(self, row: int, text: int, z: Float[Tensor, "tokens features"]) -> None:
        """Add a text to what is known of its third; vectors that are not finite take no part."""
        z = _floats(z)
        key = bool(self.first[text]), row
        self.moments[key] = merged(self.moments.get(key), moments(z, torch.linalg.vector_norm(z, dim=-1)))

    @without_autocast
    def measure(self, row: int, text: int, z: Float[Tensor, "tokens features"]) -> None:
        """The numbers of one text at one row; the mean of other texts is that of the other third."""
        z = _floats(z)
        norms = torch.linalg.vector_norm(z, dim=-1)
        others = self.moments.get((not self.first[text], row))
        others = None if others is None else reference(others)
        large = massive(norms)
        sums = joined([of_subsets(z, norms, _kept(large), self.eps), *_against(z, others, self.eps)])
        views = Sums(*(torch.cat([field[:3], field[3 + len(FEWER) :]]) for field in sums))
        self._keep(row, text, means(views))
        unit = z / norms.clamp_min(self.eps)[:, None]
        of_ids = self.repeats.by_id(text, unit)
        shares = z.new_full((len(SHARES),), torch.nan) if others is None else others.shares
        numbers = [
            within_text(views),
            within_text(Sums(*(field[3 : 3 + len(FEWER)] for field in sums))),
            self.repeats.see(row, text, of_ids)[None],
            exact(shares),
            self._to_mean(text, cosines_to_others(unit, self.repeats.of_other_ids(text, of_ids))),
            exact(large.sum()[None]),
        ]
        if self.everything:
            numbers.append(exact(z[:0]).new_tensor(spectrum.of_text(z, self.eps)))
        self.values[text, row] = torch.cat(numbers)

    def _keep(self, row: int, text: int, mean: Float[Tensor, "views features"]) -> None:
        if row not in self.sums:
            groups = len(set(self.group))
            self.sums[row] = mean.new_zeros(len(VIEWS), groups, mean.shape[1])
            self.own[row] = exact(mean.new_zeros(len(VIEWS), groups))
        group = int(self.group[text])
        self.sums[row][:, group] += mean
        self.own[row][:, group] += exact(mean).square().sum(-1)

    def _to_mean(self, text: int, cosines: Float[Tensor, "tokens"]) -> Float[Tensor, "4"]:
        rare = self.rare[text].to(cosines.device)
        early = torch.arange(len(cosines), device=cosines.device) < len(cosines) // 2
        chosen = torch.stack([rare, ~rare, early, ~early]).to(cosines.dtype)
        return chosen @ cosines / chosen.sum(-1)

    def result(self, seed: int, name: str) -> Controls:
        """What was gathered; warns where there are too few texts for some of it."""
        rows = range(len(self.sums))
        values = [[self.values[text, row].cpu().double() for row in rows] for text in range(self.texts)]
        _warn_of_few(self.texts, name)
        return Controls(
            names=PER_TEXT + (SPECTRUM if self.everything else ()),
            per_text=torch.stack([torch.stack(of_text) for of_text in values]).permute(2, 0, 1).contiguous().numpy(),
            views=VIEWS,
            pairs=np.stack([self._pairs(row) for row in rows], 1),
            between_different_ids=np.array([self._different_ids(row) for row in rows]),
            seed=seed,
        )

    def _pairs(self, row: int) -> Float[np.ndarray, "views groups groups"]:
        """Sum over the pairs of different texts of two groups of <m_s, m_t>; 0 where no pair of a view counts."""
        sums = self.sums[row].cpu().double()
        pairs = (sums @ sums.mT - torch.diag_embed(self.own[row].cpu().double())).numpy()
        pairs[-len(AGAINST_OTHERS) :] = np.where(same_third(self.texts), pairs[-len(AGAINST_OTHERS) :], 0)
        return pairs

    def _different_ids(self, row: int) -> float:
        every = exact(self.sums[row][0].sum(0)).square().sum() - self.own[row][0].sum()
        weight = self.texts * (self.texts - 1) - self.repeats.share()
        return (float(every) - self.repeats.same(row)) / weight if weight > 1e-9 else float("nan")


def _floats(z: Tensor) -> Tensor:
    return z if z.dtype == torch.float64 else z.float()


def _kept(large: Tensor) -> Tensor:
    """The tokens of `PLAIN` and of `FEWER`."""
    place = torch.arange(len(large), device=large.device)
    every, tokens = place >= 0, len(large)
    return torch.stack([every, place > 0, ~large, place < tokens // 4, place < tokens // 2])


def _against(z: Tensor, others: Reference | None, eps: float) -> list[Sums]:
    """The views of `AGAINST_OTHERS`, in their order; NaN without other texts."""
    if others is None:
        nothing = z.new_full((len(AGAINST_OTHERS), z.shape[1]), torch.nan)
        return [Sums(nothing, exact(nothing[:, 0]), exact(nothing[:, 0]))]
    centred = z - others.mean
    parts = [without_dimensions(z, others.largest, TOP, eps)]
    for shifted in (centred, centred * others.scale):
        norms = torch.linalg.vector_norm(shifted, dim=-1)
        parts.append(of_subsets(shifted, norms, norms.new_ones(1, len(z), dtype=torch.bool), eps))
    return parts


def _refuse_duplicates(sequences: Sequence[Tensor]) -> None:
    seen: dict[tuple[int, ...], int] = {}
    for number, ids in enumerate(sequences):
        other = seen.setdefault(tuple(ids.tolist()), number)
        if other != number:
            raise ValueError(
                f"Texts {other} and {number} have the same tokens (after the cut at max_length), and cosines between "
                "texts need different ones. Leave one out."
            )


def _warn_of_overlap(sequences: Sequence[Tensor]) -> None:
    """Warn of two texts that have a quarter of their runs of tokens in common, as parts of one document have."""
    places: dict[bytes, int] = {}
    for number, ids in enumerate(sequences):
        row = ids.cpu().numpy()
        if len(row) < RUN:
            continue
        runs = {run.tobytes() for run in np.lib.stride_tricks.sliding_window_view(row, RUN)}
        before = Counter(places[run] for run in runs & places.keys())
        other, shared = max(before.items(), key=lambda item: item[1], default=(number, 0))
        if shared >= len(runs) / 4:
            warnings.warn(
                f"Texts {other} and {number} share {shared} runs of {RUN} tokens: they may be parts of one document, "
                "and what lies between texts is then too high. Leave one out.",
                stacklevel=4,
            )
        places |= dict.fromkeys(runs, number)


def _warn_of_few(texts: int, name: str) -> None:
    said = {
        1: "one text has no other, so what lies between texts, and what needs the mean of others, is NaN. Give two "
        "texts or more.",
        2: "of two texts each has its mean removed by the other, so between texts after that is NaN. Give three texts "
        "or more.",
    }
    if texts in said:
        warnings.warn(f"{name}: {said[texts]}", stacklevel=4)
