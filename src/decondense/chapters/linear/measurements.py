"""The expansion on real layers, its time, and training with it: measured once, then read from records."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ... import corpora, hooks, losses, metrics, models, records
from ...base import machine, timing
from ...corpora import streams
from ...models import pocket
from .errors import VARIANTS, errors


class Measured(NamedTuple):
    """A table and the records that it is read from."""

    table: pd.DataFrame
    records: list[records.Record]


def on_layers(
    model: str, corpus: str, *, texts: int, max_length: int = 512, sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> Measured:  # fmt: skip
    """`errors` on every entry 1..L of the residual stream for some texts: one row for each text and entry."""
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    text = corpora.load(corpus, sources)
    config = {
        "model": model, "corpus": corpus, "texts": texts, "max_length": max_length, "sources": list(sources),
        "seed": seed, **trained,
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        loaded = models.load(model, sources=sources, seed=seed, **trained)
        rows = []
        for number, sample in enumerate(corpora.sample_texts(text, texts, seed)):
            ids = loaded.tokenizer(sample, truncation=True, max_length=max_length, return_tensors="pt")["input_ids"]
            for entry, hidden in _stream(loaded.model, ids).items():
                rows.append({"text": number, "entry": entry} | errors(hidden[0]))
        return {"rows": rows, "model": loaded.provenance, "corpus": {"name": corpus, "sha256": text.sha256}}, None

    name = f"expansion-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(
        name, config, compute, __name__, surroundings={"corpus": text.sha256, "torch": torch.__version__}
    )
    return Measured(pd.DataFrame(record.content["results"]["rows"]).set_index(["text", "entry"]), [record])


def _stream(model: torch.nn.Module, ids: Tensor) -> dict[int, Tensor]:
    """The entries 1..L, those that the regulariser of the paper reads."""
    keep = lambda entry, hidden: hidden.float().cpu() if entry else None
    with torch.no_grad(), hooks.residual_stream(model, keep) as stream:
        hooks.backbone(model)(ids.to(model.device))
    return {entry: hidden for entry, hidden in stream.items() if entry}


def timed(tokens: int, features: int, *, rounds: int = 7, seed: int = 0) -> Measured:
    """Seconds of value and gradient of each variant, one row a round: the variants take turns within a round."""
    device = machine.device()
    config = {"tokens": tokens, "features": features, "rounds": rounds, "seed": seed, "device": device}

    def compute() -> tuple[dict, None]:
        generator = torch.Generator().manual_seed(seed)
        # A cone with a mean cosine near 1/3, as real layers have.
        z = torch.randn(1, tokens, features, generator=generator) + 0.7 * torch.randn(features, generator=generator)
        named = {name: options for name, options in VARIANTS.items() if options is not None}
        cases = {name: partial(_value_and_gradient, z.to(device), options) for name, options in named.items()}
        table = timing.seconds(timing.interleaved(cases, rounds))
        return {"rows": table.to_dict("records"), "threads": torch.get_num_threads()}, None

    surroundings = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    record = records.run("expansion-time", config, compute, __name__, surroundings=surroundings)
    return Measured(pd.DataFrame(record.content["results"]["rows"]), [record])


def _value_and_gradient(z: Tensor, options: dict) -> None:
    z = z.clone().requires_grad_()
    losses.dispersion(z, **options).backward()
    z.grad[0, 0, 0].item()  # waits for a GPU


# --- training -------------------------------------------------------------------------------------------------------


def trained(
    model: str, corpus: str, variants: Sequence[str], seeds: Sequence[int], *, steps: int, batch_size: int = 4,
    length: int = 256, learning_rate: float = 1e-3, weight: float = 1.0, looks: int = 4, held_out: int = 4,
    sources: Sequence[str] = models.SOURCES, train_tokens: int = pocket.TRAIN_TOKENS,
) -> Measured:  # fmt: skip
    """Train on from the same weights with each of the `variants` and seeds, on the same batches in the same order.

    The loss is averaged over the entries 1..L and added with the given weight. AdamW at a constant rate, gradients
    clipped at 1. At the start and then `looks` times at equal distances `held_out` windows are looked at: one row a
    variant, seed, step and entry, with the columns of `errors` (means over the windows), `mu` (mean cosine, diagonal
    included) and `validation_loss` (nats a token).
    """
    shared = {
        "model": model, "corpus": corpus, "steps": steps, "batch_size": batch_size, "length": length,
        "learning_rate": learning_rate, "weight": weight, "looks": looks, "held_out": held_out,
        "sources": list(sources), "train_tokens": train_tokens if model in pocket.SIZES else None,
    }  # fmt: skip
    surroundings = {"corpus": corpora.load(corpus, sources).sha256, "torch": torch.__version__}
    tables, made = {}, []
    for variant in variants:
        for seed in seeds:
            config = shared | {"variant": variant, "seed": seed}
            compute = lambda config=config: ({"rows": _train(config)}, None)
            name = f"expansion-training-{variant.replace(' ', '-')}"
            record = records.run(name, config, compute, __name__, surroundings=surroundings, committed=True)
            made.append(record)
            tables[variant, seed] = pd.DataFrame(record.content["results"]["rows"]).set_index(["step", "entry"])
    return Measured(pd.concat(tables, names=["variant", "seed"]), made)


def _train(config: dict) -> list[dict]:
    how = {} if config["train_tokens"] is None else {"train_tokens": config["train_tokens"]}
    loaded = models.load(config["model"], sources=tuple(config["sources"]), seed=0, **how)
    text = streams.stream(corpora.load(config["corpus"], config["sources"]), loaded.tokenizer)
    windows = torch.tensor(streams.spread(text.held_out, config["held_out"], config["length"]))
    batches = _batches(text.train, config)
    model, rows = loaded.model, []
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["learning_rate"], betas=(0.9, 0.95), weight_decay=0.1)
    watched = np.linspace(0, config["steps"], config["looks"] + 1).round()
    for step in range(config["steps"] + 1):
        if step in watched:
            rows += _look(model, windows, step)
        if step < config["steps"]:
            _step(model, next(batches), VARIANTS[config["variant"]], config["weight"]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return rows


def _batches(ids: np.ndarray, config: dict):
    rng = np.random.default_rng(config["seed"])
    while True:
        starts = rng.integers(0, len(ids) - config["length"], config["batch_size"])
        yield torch.tensor(np.stack([ids[s : s + config["length"]] for s in starts]).astype(np.int64))


def _step(model: torch.nn.Module, ids: Tensor, options: dict | None, weight: float) -> Tensor:
    """The total loss of one batch."""
    ids = ids.to(model.device)
    with hooks.residual_stream(model.train(), lambda entry, hidden: hidden) as stream:
        language = model(input_ids=ids, labels=ids).loss
    if options is None:
        return language
    return language + weight * torch.stack([losses.dispersion(stream[e], **options) for e in stream if e]).mean()


def _look(model: torch.nn.Module, windows: Tensor, step: int) -> list[dict]:
    model.eval()
    with torch.no_grad():
        language = model(input_ids=windows.to(model.device), labels=windows.to(model.device)).loss.item()
    rows = []
    for entry, hidden in _stream(model, windows).items():
        seen = pd.DataFrame([errors(z) for z in hidden]).mean().to_dict()
        mu = float(metrics.mean_cosine(hidden).all_pairs.mean())
        rows.append({"step": step, "entry": entry, "validation_loss": language, "mu": mu} | seen)
    return rows
