"""Fig. 1: the tokens of a text as points on a sphere, where the paper draws a cone from invented points."""

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch

from ... import corpora, hooks, metrics, models, records, surveys
from ...models import pocket

DEPTHS = 9  # entries at which the tokens are kept


class Cones(NamedTuple):
    """Tokens of one text on unit spheres, each (tokens, 3), by entry.

    `depths` has about `DEPTHS` entries at equal distances from 0 to L, in order, and entry 1.
    """

    depths: dict[int, np.ndarray]
    record: records.Record

    @property
    def points(self) -> dict[str, np.ndarray]:
        """At the output of the first block ("early") and at the last entry ("last")."""
        return _ends(self.depths)


def _ends(depths: dict[int, np.ndarray]) -> dict[str, np.ndarray]:
    return {"early": depths[1], "last": depths[max(depths)]}


def cones(
    model: str, corpus: str, *, max_length: int = 512, first_seed: int = 0, dtype: str = "float32",
    sources: Sequence[str] = models.SOURCES, train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> Cones:  # fmt: skip
    """`metrics.cone_coordinates` of the tokens of one text at the first block's output ("early") and at the last entry.

    The other arguments are those of `surveys.measured`; Fig. 1 of the paper draws such cones from invented points.
    """
    sources = tuple(sources)
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    config = {
        "model": model, "dtype": dtype, "corpus": corpus, "first_seed": first_seed, "max_length": max_length,
        "sources": sources, "seed": seed, **trained, **surveys.surroundings(corpus, sources),
    }  # fmt: skip

    def compute() -> tuple[dict, bytes]:
        how = {"dtype": dtype, "sources": sources, "seed": seed, "accept_terms": False, **trained}
        loaded = surveys.load_model(model, "pretrained", **how)
        text = corpora.sample_texts(surveys.load_corpus(corpus, sources), 1, first_seed)[0]
        points = _points(loaded, text, max_length)
        angle = lambda xyz: float(np.degrees(np.arccos(xyz[:, 2].clip(-1, 1))).mean())
        angles = {name: angle(xyz) for name, xyz in _ends(points).items()}
        np.savez_compressed(buffer := BytesIO(), **{str(entry): xyz for entry, xyz in points.items()})
        return {"mean_angle_degrees": angles, "model": loaded.provenance}, buffer.getvalue()

    record = records.run(f"cones-{surveys.file_name(model)}-{corpus}", config, compute, __name__)
    with np.load(record.arrays) as file:
        depths = {int(entry): file[entry] for entry in file.files}
    return Cones(depths, record)


def _points(loaded: models.Loaded, text: str, max_length: int) -> dict[int, np.ndarray]:
    ids = loaded.tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")["input_ids"]
    last = hooks.n_entries(loaded.model) - 1
    shown = {1, *np.linspace(0, last, DEPTHS).round().astype(int).tolist()}
    reduce = lambda entry, hidden: metrics.cone_coordinates(hidden[0]) if entry in shown else None
    with torch.inference_mode(), hooks.residual_stream(loaded.model, reduce) as coordinates:
        hooks.backbone(loaded.model)(ids.to(loaded.model.device))
    return {entry: coordinates[entry].cpu().numpy() for entry in sorted(shown)}
