"""What each loss would do to a real layer of a real model, and the record that keeps it."""

from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

import pandas as pd
import torch

from .. import corpora, hooks, models, records
from ..losses import forces
from ..models import pocket


class Probed(NamedTuple):
    """One row for each entry of the residual stream and loss: see `fields.probe`."""

    table: pd.DataFrame
    record: records.Record


def probed(
    model: str,
    corpus: str,
    names: Sequence[str],
    *,
    depths: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    max_length: int = 256,
    step: float = 0.05,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    seed: int = 0,
) -> Probed:
    """One step on each of the losses `names` at several depths of a model, on the tokens of one text.

    depths
        Shares of the depth in (0, 1]; the entry round(depth L) of the residual stream, 1 is the last.
    seed
        Of the text (`corpora.sample_texts`) and of a pocket model.

    Raises
        ValueError: a depth outside (0, 1]; what `models.load`, `corpora.load`, `losses.get` raise.
    """
    if not all(0 < depth <= 1 for depth in depths):
        raise ValueError(f"depths must lie in (0, 1], got {list(depths)}.")
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    text = corpora.load(corpus, sources)
    config = {
        "model": model, "corpus": corpus, "names": list(names), "depths": list(depths), "max_length": max_length,
        "step": step, "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        loaded = models.load(model, sources=sources, seed=seed, **trained)
        chosen = {max(1, round(depth * (hooks.n_entries(loaded.model) - 1))): depth for depth in depths}
        ids = loaded.tokenizer(
            corpora.sample_texts(text, 1, seed), truncation=True, max_length=max_length, return_tensors="pt"
        )
        keep = lambda entry, hidden: hidden[0].cpu() if entry in chosen else None
        with torch.no_grad(), hooks.residual_stream(loaded.model, keep) as stream:
            hooks.backbone(loaded.model)(ids["input_ids"].to(loaded.model.device))
        tables = {str(entry): forces.probe(stream[entry], names, step).to_dict("index") for entry in chosen}
        return {"entries": tables, "model": loaded.provenance, "corpus": {"name": corpus, "sha256": text.sha256}}, None

    name = f"probe-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(name, config, compute, __name__, surroundings=_surroundings(text))
    entries = record.content["results"]["entries"]
    tables = {int(entry): pd.DataFrame.from_dict(table, orient="index") for entry, table in entries.items()}
    return Probed(pd.concat(tables, names=["entry", "loss"]), record)


def _surroundings(text: corpora.Corpus) -> dict:
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")}
    return {"corpus": text.sha256, "versions": versions}
