"""What each loss would do to a real layer of a real model, with the record that keeps it; what becomes of a cone."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from ... import corpora, hooks, metrics, models, records
from ...losses import forces
from ...models import pocket


class Probed(NamedTuple):
    """One row for each entry of the residual stream and loss: see `forces.probe`."""

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
    name = f"probe-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(name, config, lambda: _probe(config, text), __name__, surroundings=surroundings(text))
    entries = record.content["results"]["entries"]
    tables = {int(entry): pd.DataFrame.from_dict(table, orient="index") for entry, table in entries.items()}
    return Probed(pd.concat(tables, names=["entry", "loss"]), record)


def _probe(asked: dict, text: corpora.Corpus) -> tuple[dict, None]:
    trained = {"train_tokens": asked["train_tokens"]} if "train_tokens" in asked else {}
    model, tokenizer, about = models.load(asked["model"], sources=asked["sources"], seed=asked["seed"], **trained)
    entries = {max(1, round(depth * (hooks.n_entries(model) - 1))) for depth in asked["depths"]}
    (sample,) = corpora.sample_texts(text, 1, asked["seed"])
    ids = tokenizer(sample, truncation=True, max_length=asked["max_length"], return_tensors="pt")["input_ids"]
    keep = lambda entry, hidden: hidden[0].cpu() if entry in entries else None
    with torch.no_grad(), hooks.residual_stream(model, keep) as stream:
        hooks.backbone(model)(ids.to(model.device))
    tables = {
        str(entry): forces.probe(stream[entry], asked["names"], asked["step"]).to_dict("index")
        for entry in sorted(entries)
    }
    return {"entries": tables, "model": about, "corpus": {"name": asked["corpus"], "sha256": text.sha256}}, None


def surroundings(text: corpora.Corpus) -> dict:
    """What else decides the numbers: the corpus, and the releases that a forward pass goes through."""
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")}
    return {"corpus": text.sha256, "versions": versions}


def what_becomes(
    cloud: Float[Tensor, "tokens 3"], flows: Mapping[str, Float[np.ndarray, "moments tokens 3"]]
) -> pd.DataFrame:
    """The tokens in numbers before and after the flow of each loss (`forces.flow`): one row a loss, the last `before`.

    Columns: the mean cosine of different tokens, the elongation of the cloud, the mean norm, and, at the beginning, the
    share of the force that is radial.
    """
    rows = {
        name: [*_state(torch.from_numpy(path[-1])), forces.radial_share(name, cloud)] for name, path in flows.items()
    }
    columns = ["mean cosine", "elongation", "mean norm", "radial share of the force"]
    return pd.DataFrame.from_dict(rows | {"before": [*_state(cloud), None]}, orient="index", columns=columns)


def _state(tokens: Float[Tensor, "tokens 3"]) -> tuple[float, float, float]:
    cosine = float(metrics.mean_cosine(tokens).off_diagonal)
    return cosine, forces.elongation(tokens.numpy()), float(tokens.norm(dim=1).mean())
