"""Real models rounded: the same measurements as of the models trained here, on texts in place of windows."""

from collections.abc import Sequence
from dataclasses import asdict

from ... import corpora, models, records, surveys
from ...models import pocket
from ...quantise import Scheme
from ...surveys import layer
from . import rounded


def record(
    model: str, corpus: str, schemes: Sequence[Scheme], *, n_texts: int, max_length: int,
    sources: Sequence[str] = models.SOURCES, train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> records.Record:  # fmt: skip
    """The record of a model under each scheme; a committed one is taken where there is one.

    In the results: `rounded` (rows of `rounded.under`, one of `losses` a text), `outliers`, `about`, and where
    the model and the texts come from. All texts are cut to the length of the shortest.

    Raises
        What `models.load` and `corpora.load` raise.
    """
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    config = {
        "model": model, "corpus": corpus, "rounding": [asdict(scheme) for scheme in schemes], "n_texts": n_texts,
        "max_length": max_length, "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip
    name = f"quantisation-of-{models.file_name(model)}-{corpus}"
    how = {"surroundings": surveys.surroundings(corpus, tuple(sources)), "committed": True}
    return records.run(name, config, lambda: (_measured(config, schemes, trained), None), __name__, **how)


def _measured(config: dict, schemes: Sequence[Scheme], trained: dict) -> dict:
    text = corpora.load(config["corpus"], config["sources"])
    loaded = models.load(config["model"], sources=config["sources"], seed=config["seed"], **trained)
    ids = layer.rows(text, loaded.tokenizer, config["n_texts"], config["max_length"], config["seed"])
    asked = rounded.Asked(ids, len(ids), {}, (), config["sources"], config["seed"])
    rows, outliers = rounded.under(loaded, schemes, asked)
    about = {"about": rounded.about(loaded.model), "model": loaded.provenance | {"model": config["model"]}}
    about["corpus"] = {"name": text.name, "source": text.source, "sha256": text.sha256}
    return {"rounded": rows, "outliers": outliers, "tokens": ids.shape[1], **about}
