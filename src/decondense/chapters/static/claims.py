"""The claims on static embeddings and post-hoc cures: this book's own, with the theories that they test.

The smallest effects were fixed before anything of this page was computed.
"""

from collections.abc import Iterator, Mapping

from ...paper import verdicts
from ...paper.claims import Claim, judged, of_each
from .tables import CURES, Embedding, Entries

NARROW = 0.1  # mean cosine of two rows; that of random directions is 0
TIE = 0.2  # Spearman: between the usual "small" 0.1 and "medium" 0.3
WORDS = 0.02  # of the neighbours: what two words in a hundred that have all theirs right make
WHITE = 0.02  # what is left of a mean cosine by a cure that works
RANK = 0.1  # of the effective rank: a tenth more
NATS = 0.1  # of the next-token loss: far above what a cure without cost may take
REASONS = {
    NARROW: "directions at random have 0",
    TIE: "between the usual small and medium correlation",
    WORDS: "two words in a hundred",
}


def claims(vectors: Mapping[str, Embedding], tables: Mapping[str, Embedding], models: Mapping[str, Entries]):
    """`vectors`: word vectors from counts; `tables`: embedding tables of language models; both by name.

    `models`: entries of language models under the cures, by name.
    """
    both = {**vectors, **tables}
    return judged(
        [
            _narrow("word vectors", vectors),
            _narrow("tables of language models", tables),
            _tie("word vectors: common words lie closer to the mean direction", vectors, TIE, "Mu & Viswanath 2018"),
            _tie("tables of language models: rare tokens lie closer to it", tables, -TIE, "Gao et al. 2019"),
            *(_neighbours(cure, both) for cure in CURES[1:]),
            _white(both),
            *_entries(models),
            *_loss(models),
        ]
    )


def _narrow(kind: str, found: Mapping[str, Embedding]) -> Claim:
    return of_each(
        f"{kind}: two rows at random have a positive cosine",
        {name: one.cosine["none"] for name, one in found.items()},
        NARROW,
        REASONS[NARROW],
    )


def _tie(claim: str, found: Mapping[str, Embedding], smallest: float, source: str) -> Claim:
    reason = f"{REASONS[TIE]}; the sign is that of {source}"
    each = {name: one.tie for name, one in found.items()}
    return of_each(claim, each, smallest, reason)


def _neighbours(cure: str, found: Mapping[str, Embedding]) -> Claim:
    each = {name: one.gain[cure] for name, one in found.items()}
    claim = f"{cure}: more neighbours of a word's own category"
    return of_each(claim, each, WORDS, REASONS[WORDS])


def _white(found: Mapping[str, Embedding]) -> Claim:
    each = {name: one.cosine["whitening"] for name, one in found.items()}
    claim = "whitening: no mean cosine is left, in rows that it was not fitted on"
    return of_each(claim, each, WHITE, "a fifth of what counts as a cone above", verdicts.no_change)


def _entries(models: Mapping[str, Entries]) -> Iterator[Claim]:
    cure = "all-but-the-top"
    yield of_each(
        f"{cure}: no cone is left at the middle entry, on other texts",
        {name: one.middle_mu[cure] for name, one in models.items()},
        NARROW,
        "what counts as a cone above",
        verdicts.no_change,
    )
    yield of_each(
        f"{cure}: a higher effective rank at the middle entry",
        {name: one.middle_rank_gain[cure] for name, one in models.items()},
        RANK,
        "a tenth more directions",
    )


def _loss(models: Mapping[str, Entries]) -> Iterator[Claim]:
    reason = "in nats; far above what a cure without cost may take"
    yield of_each(
        "the shared mean taken off at the middle entry: the loss rises",
        {name: one.loss_without_mean for name, one in models.items()},
        NATS,
        reason,
    )
    yield of_each(
        "and by more than by a random vector of its length",
        {name: one.loss_beyond_random for name, one in models.items()},
        NATS,
        reason,
    )
