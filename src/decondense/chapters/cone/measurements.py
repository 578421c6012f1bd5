"""Models with their first weights on token ids that no two texts share: real texts share words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ... import measure, models, records, surveys
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
    made = [_record(name, n_texts, max_length, dtype, train_tokens, seed) for name in names]
    results = {name: Condensation.load(record.arrays) for name, record in zip(names, made, strict=True)}
    return Control(results, made)


def _record(name: str, n_texts: int, max_length: int, dtype: str, train_tokens: int, seed: int) -> records.Record:
    config = {"model": name, "n_texts": n_texts, "max_length": max_length, "dtype": dtype, "seed": seed}
    how = {"train_tokens": train_tokens} if name in pocket.SIZES else {}
    config |= how | surveys.versions_and_device()

    def compute() -> tuple[dict, bytes]:
        loaded = surveys.load_model(name, "random", dtype=dtype, seed=seed, **how)
        ids = _ids(loaded.model.get_input_embeddings().weight.shape[0], n_texts, max_length, seed)
        found = measure(loaded.model, None, ids, max_length=max_length, controls=True, seed=seed, name=name)
        return {"mu": found.mu.tolist(), "rho": found.rho, "model": loaded.provenance}, found.to_bytes()

    return records.run(f"random-ids-{models.file_name(name)}", config, compute, __name__)


def _ids(vocabulary: int, n_texts: int, max_length: int, seed: int) -> list[list[int]]:
    if vocabulary < n_texts * max_length:
        raise ValueError(f"{n_texts} texts of {max_length} ids need as many different ids; there are {vocabulary}.")
    return np.random.default_rng(seed).permutation(vocabulary)[: n_texts * max_length].reshape(n_texts, -1).tolist()
