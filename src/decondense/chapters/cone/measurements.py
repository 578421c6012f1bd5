"""Models with their first weights, on token ids that no two texts share (real texts share words), and drawn wider."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ... import corpora, measure, models, records, surveys
from ...base.files import sha256
from ...condensation import Condensation
from ...models import pocket


class Control(NamedTuple):
    """By model: the geometry on ids of no text, and the record it is read from."""

    results: dict[str, Condensation]
    records: list[records.Record]


def on_random_ids(
    names: Sequence[str], *, n_texts: int, max_length: int, dtype: str = "float32",
    train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> Control:  # fmt: skip
    """`measure(..., controls=True)` of models with their first weights, on ids drawn without replacement.

    No id comes twice, in a text or in two, so that nothing is shared but what the model itself makes equal.

    Raises
        ValueError: a vocabulary of fewer ids than the texts have tokens; what `models.load` raises.
    """
    how = {"n_texts": n_texts, "max_length": max_length, "dtype": dtype, "seed": seed}
    trained = {name: {"train_tokens": train_tokens} if name in pocket.SIZES else {} for name in names}
    drawn = lambda name: surveys.load_model(name, "random", dtype=dtype, seed=seed, **trained[name]).model
    return _control({name: _record(name, partial(drawn, name), how | trained[name]) for name in names})


def by_deviation(
    name: str, deviations: Sequence[float], *, n_texts: int, max_length: int, dtype: str = "float32", seed: int = 0
) -> Control:
    """As `on_random_ids`, of one architecture of the table with first weights of other standard deviations.

    Raises
        ValueError: as there; KeyError: a model without an architecture in the table.
    """
    how = {"n_texts": n_texts, "max_length": max_length, "dtype": dtype, "seed": seed}
    drawn = lambda deviation: _drawn(name, deviation, dtype, seed)
    return _control({f"{d:g}": _record(name, partial(drawn, d), how | {"deviation": d}) for d in deviations})


def _drawn(name: str, deviation: float, dtype: str, seed: int) -> torch.nn.Module:
    import transformers

    entry = models.table()[name]
    config = getattr(transformers, entry["architecture"])(**entry["config"] | {"initializer_range": deviation})
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).eval()


def _control(made: dict[str, records.Record]) -> Control:
    return Control({name: Condensation.load(record.arrays) for name, record in made.items()}, list(made.values()))


def _record(name: str, drawn: Callable[[], torch.nn.Module], how: dict) -> records.Record:
    config = {"model": name, **how, **surveys.versions_and_device()}

    def compute() -> tuple[dict, bytes]:
        model, seed = drawn(), how["seed"]
        ids = _ids(model.get_input_embeddings().weight.shape[0], how["n_texts"], how["max_length"], seed)
        found = measure(model, None, ids, max_length=how["max_length"], controls=True, seed=seed, name=name)
        about = {"model": name, "parameters": sum(p.numel() for p in model.parameters())}
        drawn_ids = corpora.Corpus("no text", [], "ids drawn without replacement", sha256(json.dumps(ids)))
        return surveys.summary(found, about, drawn_ids), found.to_bytes()

    return records.run(f"random-ids-{models.file_name(name)}", config, compute, __name__)


def _ids(vocabulary: int, n_texts: int, max_length: int, seed: int) -> list[list[int]]:
    if vocabulary < n_texts * max_length:
        raise ValueError(f"{n_texts} texts of {max_length} ids need as many different ids; there are {vocabulary}.")
    return np.random.default_rng(seed).permutation(vocabulary)[: n_texts * max_length].reshape(n_texts, -1).tolist()
