"""Embeddings described and models put under the cures: measured once, then read from records."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ... import corpora, hooks, models, posthoc, records
from ...corpora import streams
from ...metrics import mean_cosine
from ...models import pocket
from . import stream, words
from .rows import categories, describe, rows_of_tokens

LEAST = 5  # times that a row's word or token comes; of rarer ones the frequency is not known well


class Measured(NamedTuple):
    """What was found, and the record that it is read from."""

    results: dict
    record: records.Record


class Tables(NamedTuple):
    """The embedding tables that could be read, by model, and why the others could not."""

    found: dict[str, Measured]
    missing: dict[str, str]


def of_words(
    kind: str, corpus: str, *, vocabulary: int, window: int, features: int, epochs: int,
    sources: Sequence[str] = models.SOURCES, seed: int = 0,
) -> Measured:  # fmt: skip
    """`rows.describe` of word vectors made of a corpus; `kind` is a key of `WORD_VECTORS`.

    Those of word2vec have a `course` too: mean cosine of two rows after each epoch.
    """
    corpus_text = corpora.load(corpus, sources)
    config = {
        "kind": kind, "corpus": corpus, "vocabulary": vocabulary, "window": window, "features": features, "seed": seed,
        "epochs": epochs if kind == "word2vec" else None, "sources": list(sources),
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        text = words.read(corpus_text.rows, vocabulary, LEAST)
        row_of = {word: row for row, word in enumerate(text.words)}
        course = []
        for vectors in WORD_VECTORS[kind](text, config):
            course.append(float(mean_cosine(vectors).off_diagonal))
        return describe(vectors, text.frequency, row_of, seed) | {"course": course, "corpus": _about(corpus_text)}, None

    return _kept(f"static-{kind.split()[0].lower()}-{corpus}", config, compute, corpus_text, committed=True)


WORD_VECTORS = {
    "PPMI and SVD": lambda text, of: [words.by_svd(words.count(text, of["window"]), of["features"])],
    "word2vec": lambda text, of: words.by_word2vec(
        text, of["features"], window=of["window"], epochs=of["epochs"], seed=of["seed"]
    ),
}


def of_tables(names: Sequence[str], corpus: str, **how) -> Tables:
    """`of_table` of several models; one that is refused here (no source, no consent, too large) is listed with why."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = of_table(name, corpus, **how)
        except (OSError, MemoryError) as refusal:
            # What the system says (a full disk, with its number) or the network stops the run: it is tried again.
            if isinstance(refusal, ConnectionError) or getattr(refusal, "errno", None) is not None:
                raise
            missing[name] = str(refusal)
    return Tables(found, missing)


def of_table(
    model: str, corpus: str, *, sources: Sequence[str] = models.SOURCES, train_tokens: int = pocket.TRAIN_TOKENS,
    seed: int = 0,
) -> Measured:  # fmt: skip
    """`rows.describe` of a model's input embeddings: of the tokens that come `LEAST` times or more in the corpus."""
    text, trained = corpora.load(corpus, sources), _training(model, train_tokens)
    config = {"model": model, "corpus": corpus, "sources": list(sources), "seed": seed, **trained}

    def compute() -> tuple[dict, None]:
        loaded = models.load(model, sources=sources, seed=seed, **trained)
        table = loaded.model.get_input_embeddings().weight.detach().float().cpu()
        frequency = np.bincount(np.concatenate(streams.stream(text, loaded.tokenizer)), minlength=len(table))
        seen = np.flatnonzero(frequency >= LEAST)
        place = {token: row for row, token in enumerate(seen.tolist())}
        tokens = rows_of_tokens(loaded.tokenizer, categories().word.tolist())
        row_of = {word: place[token] for word, token in tokens.items() if token in place}
        tied = bool(loaded.model.config.tie_word_embeddings)
        about = {"corpus": _about(text), "model": loaded.provenance, "tied": tied, "vocabulary": len(table)}
        return describe(table[seen], frequency[seen], row_of, seed) | about, None

    return _kept(f"static-table-{models.file_name(model)}-{corpus}", config, compute, text)


def of_model(
    model: str, corpus: str, *, fitted: int, others: int, length: int, sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> Measured:  # fmt: skip
    """Each entry of a model under the cures, and its loss without the mean at the middle one.

    The cures are fitted on `fitted` windows of the corpus' training part; `others` windows of its held-out part are
    what is measured.
    """
    text, trained = corpora.load(corpus, sources), _training(model, train_tokens)
    config = {
        "model": model, "corpus": corpus, "fitted": fitted, "others": others, "length": length,
        "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        loaded = models.load(model, sources=sources, seed=seed, **trained)
        parts = streams.stream(text, loaded.tokenizer)
        train, held_out = (
            torch.tensor(streams.spread(ids, count, length))
            for ids, count in ((parts.train, fitted), (parts.held_out, others))
        )
        known, new = (stream.entries(loaded.model, windows) for windows in (train, held_out))
        rows = [{"entry": e} | row for e in known for row in stream.under_cures(known[e], new[e])]
        middle = (hooks.n_entries(loaded.model) - 1) // 2
        mean = posthoc.centre(torch.cat(known[middle])).mean.float()
        losses = stream.losses(loaded.model, held_out, middle, mean, seed)
        share = float(mean.norm() / torch.cat(known[middle]).norm(dim=-1).median())
        about = {"corpus": _about(text), "model": loaded.provenance, "mean over median norm": share}
        return {"entries": rows, "losses": losses, "middle": middle} | about, None

    return _kept(f"static-entries-{models.file_name(model)}-{corpus}", config, compute, text)


def _kept(name: str, config: dict, compute, text: corpora.Corpus, committed: bool = False) -> Measured:
    surroundings = {"corpus": text.sha256, "torch": torch.__version__}
    record = records.run(name, config, compute, __name__, surroundings=surroundings, committed=committed)
    return Measured(record.content["results"], record)


def _training(model: str, train_tokens: int) -> dict:
    return {"train_tokens": train_tokens} if model in pocket.SIZES else {}


def _about(text: corpora.Corpus) -> dict:
    return {"name": text.name, "source": text.source, "sha256": text.sha256}
