"""Word vectors of a corpus, made in two ways: positive PMI with an SVD, and word2vec."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds
from torch import Tensor

NOISE, COMMON = 0.75, 1e-3  # power of the counts for negative samples; share above which words are thinned out
RATES = (0.025, 1e-4)  # of learning, at the start and at the end; all as in word2vec
BATCH = 2000  # pairs whose gradients are taken at once; word2vec takes one


class Text(NamedTuple):
    """The commonest words of a corpus, how often each comes, and the text as their numbers; -1 between two rows."""

    words: list[str]
    frequency: Int[np.ndarray, "words"]
    ids: Int[np.ndarray, "places"]


def read(rows: Iterable[str], vocabulary: int, least: int = 1) -> Text:
    """The `vocabulary` commonest words (runs of letters, in lower case) that come `least` times or more.

    The other words are taken out of the text, as word2vec does: their neighbours become neighbours.
    """
    split = [re.findall(r"[a-z]+", row.lower()) for row in rows]
    common = Counter(word for row in split for word in row).most_common(vocabulary)
    frequency = {word: n for word, n in common if n >= least}
    number = {word: k for k, word in enumerate(frequency)}
    ids = [k for row in split if row for k in (*(number[word] for word in row if word in number), -1)]
    return Text(list(number), np.array(list(frequency.values())), np.array(ids))


def pairs(ids: Int[np.ndarray, "places"], apart: int) -> tuple[np.ndarray, np.ndarray]:
    """Places that are so far apart, and in the same row: those of the left and of the right word of each pair."""
    row = np.cumsum(ids < 0)
    left = np.flatnonzero((ids[:-apart] >= 0) & (ids[apart:] >= 0) & (row[:-apart] == row[apart:]))
    return left, left + apart


# --- positive PMI ---------------------------------------------------------------------------------------------------


def count(text: Text, window: int) -> csr_array:
    """How often each word comes at most `window` words away from each other one: symmetric, (words, words)."""
    size = len(text.words)
    total = csr_array((size, size))
    for apart in range(1, window + 1):
        left, right = (text.ids[places] for places in pairs(text.ids, apart))
        found = coo_array((np.ones(len(left)), (left, right)), shape=total.shape).tocsr()
        total = total + found + found.T
    return total


def ppmi(counts: csr_array) -> csr_array:
    """Positive pointwise mutual information, max(0, ln(n_wc n / (n_w n_c))); pairs that never come have 0.

    Source: Levy & Goldberg 2014.
    """
    found, of_word = counts.tocoo(), counts.sum(axis=1)
    values = np.log(found.data * of_word.sum() / (of_word[found.row] * of_word[found.col]))
    positive = coo_array((np.maximum(values, 0), (found.row, found.col)), shape=counts.shape).tocsr()
    positive.eliminate_zeros()
    return positive


def by_svd(counts: csr_array, features: int) -> Float[Tensor, "words features"]:
    """Word vectors U sqrt(S) of the truncated SVD of `ppmi`, the leading direction first."""
    u, s, _ = svds(ppmi(counts), k=features, v0=np.ones(counts.shape[0]))
    order = np.argsort(-s)
    return torch.tensor(u[:, order] * np.sqrt(s[order]))


# --- word2vec -------------------------------------------------------------------------------------------------------


def by_word2vec(
    text: Text, features: int, *, window: int, epochs: int, negatives: int = 5, seed: int = 0
) -> Iterator[Float[Tensor, "words features"]]:
    """The word vectors of skip-gram with negative sampling after each epoch (the same tensor, which goes on changing).

    As word2vec does: windows of random width up to `window`, common words thinned out, gradient descent at a rate that
    falls to nearly 0, words that start near 0 and contexts at 0. Unlike it pairs come in a random order, `BATCH` of
    them at a time.

    Source: Mikolov et al. 2013.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    word = (torch.rand(len(text.words), features, generator=generator) - 0.5) / features
    context = torch.zeros_like(word)
    noise = torch.tensor(text.frequency**NOISE)
    for epoch in range(epochs):
        centres, contexts = (torch.tensor(part) for part in drawn(text, window, rng))
        order = torch.randperm(len(centres), generator=generator).split(BATCH)
        for step, chosen in enumerate(order):
            done = (epoch + step / len(order)) / epochs
            wrong = torch.multinomial(noise, negatives * len(chosen), replacement=True, generator=generator)
            candidates = torch.cat([contexts[chosen, None], wrong.view(-1, negatives)], dim=1)
            update(word, context, centres[chosen], candidates, RATES[0] + done * (RATES[1] - RATES[0]))
        yield word


def drawn(text: Text, window: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (word, context) of one epoch.

    A word with the share f of the text stays in it with the chance min(1, sqrt(COMMON / f) + COMMON / f); each that
    stayed has a window of its own, uniform from 1 to `window`.
    """
    rarity = COMMON * text.frequency.sum() / text.frequency
    chance = np.append(np.sqrt(rarity) + rarity, 1.0)  # the last is that of -1, the end of a row
    ids = text.ids[rng.random(len(text.ids)) < chance[text.ids]]
    width = rng.integers(1, window + 1, len(ids))
    found = []
    for apart in range(1, window + 1):
        for of, to in (places := pairs(ids, apart), places[::-1]):
            inside = width[of] >= apart
            found.append((ids[of[inside]], ids[to[inside]]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def update(
    word: Float[Tensor, "words features"], context: Float[Tensor, "words features"],
    centres: Int[Tensor, "pairs"], candidates: Int[Tensor, "pairs one_and_negatives"], rate: float,
) -> None:  # fmt: skip
    """One step of gradient descent, in place, on the sum over pairs of -ln sigma(<w, c>) - sum_c' ln sigma(-<w, c'>).

    The first of the `candidates` is the context c, the others are the negative samples c'.
    """
    w, c = word[centres], context[candidates]
    push = -torch.sigmoid((c @ w[..., None])[..., 0])
    push[:, 0] += 1
    push *= rate
    word.index_add_(0, centres, (push[:, None] @ c)[:, 0])
    context.index_add_(0, candidates.flatten(), (push[..., None] * w[:, None]).flatten(0, 1))
