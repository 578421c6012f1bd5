"""Pairs of tokens with the same id, left out by sums over groups: no N x N matrix, within texts and between them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .sums import exact

BUCKETS = 1024  # vectors an entry that the texts before leave behind: memory does not grow with the vocabulary


class Repeats:
    """Which tokens of some texts have the same id, and what is known of them at one entry after the other.

    Only ids that more than one text has can make a pair between texts. Each of them has a bucket of its own; of more
    than 1,024 several share one, and pairs of different ids in one bucket are left out, too; ids of like counts lie in
    different ones, so these are few. So no pair that counts ever has the same id.
    """

    def __init__(self, sequences: Sequence[Tensor]):
        unique = [torch.unique(ids, return_inverse=True, return_counts=True) for ids in sequences]
        self.groups = [inverse for _, inverse, _ in unique]
        self.counts = [counts for _, _, counts in unique]
        every, which, texts = torch.cat([ids for ids, _, _ in unique]).unique(return_inverse=True, return_counts=True)
        total = torch.zeros(len(every), dtype=torch.int64).index_add_(0, which, torch.cat(self.counts))
        shared = texts > 1
        rank = torch.where(shared, total, 0).argsort(descending=True, stable=True).argsort()
        bucket = torch.where(shared, rank % BUCKETS, -1)
        ids = which.split([len(counts) for counts in self.counts])
        self.buckets = [bucket[of_text] for of_text in ids]
        self.occurrences = [total[of_text][group] for of_text, group in zip(ids, self.groups, strict=True)]
        self.used = int(bucket.max()) + 1
        self.sums: dict[int, Tensor] = {}
        self.own: dict[int, Tensor] = {}

    def by_id(self, text: int, unit: Float[Tensor, "tokens features"]) -> Float[Tensor, "ids features"]:
        """For each id of this text the sum over its tokens."""
        groups = self.groups[text].to(unit.device)
        return unit.new_zeros(len(self.counts[text]), unit.shape[1]).index_add_(0, groups, unit)

    def of_other_ids(self, text: int, of_ids: Float[Tensor, "ids features"]) -> Float[Tensor, "tokens features"]:
        """For each token of this text the sum over its tokens with another id; `of_ids` as `by_id` gives it."""
        return (of_ids.sum(0) - of_ids)[self.groups[text].to(of_ids.device)]

    def see(self, row: int, text: int, of_ids: Float[Tensor, "ids features"]) -> Float[Tensor, ""]:
        """Mean cosine of the pairs of tokens of this text with different ids; NaN if there is none.

        What the text has of shared ids is kept for `same`; `of_ids` as `by_id` gives it.
        """
        tokens = len(self.groups[text])
        self._keep(row, text, of_ids / tokens)
        different = exact(of_ids.sum(0)).square().sum() - exact(of_ids).square().sum()
        pairs = tokens**2 - int(self.counts[text].square().sum())
        return different / (pairs or float("nan"))

    def _keep(self, row: int, text: int, of_ids: Float[Tensor, "ids features"]) -> None:
        buckets = self.buckets[text].to(of_ids.device)
        shared = buckets >= 0
        mine = of_ids.new_zeros(self.used, of_ids.shape[1]).index_add_(0, buckets[shared], of_ids[shared])
        self.sums[row] = self.sums[row].add_(mine) if row in self.sums else mine
        self.own[row] = self.own.get(row, 0) + exact(mine).square().sum()

    def same(self, row: int) -> float:
        """Sum over the ordered pairs of different texts s, t, and of tokens in one bucket, of cosine / (N_s N_t)."""
        return float(exact(self.sums[row]).square().sum() - self.own[row]) if self.used else 0.0

    def share(self) -> float:
        """The same sum of 1 / (N_s N_t): the weight of the pairs that are left out, of T (T - 1)."""
        of_texts = torch.zeros(len(self.counts), self.used, dtype=torch.float64)
        for text, (counts, buckets) in enumerate(zip(self.counts, self.buckets, strict=True)):
            shared = buckets >= 0
            of_texts[text].index_add_(0, buckets[shared], counts[shared] / counts.sum().double())
        return float(of_texts.sum(0).square().sum() - of_texts.square().sum())
