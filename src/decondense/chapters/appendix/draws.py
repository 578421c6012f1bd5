"""Padding straight from its definition: vectors with entries that are drawn, and the tokens of a model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ... import corpora, hooks, models
from ...stats import Interval
from .factors import padding_factor, second_moment
from .repetition import cosine


def pair(cosine: float, r: float, dimension: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of norm `r` with this cosine in R^dimension (the plane of the first two axes)."""
    x, y = np.zeros((2, dimension))
    x[0], y[:2] = r, (r * cosine, r * np.sqrt(1 - cosine**2))
    return x, y


class Simulated(NamedTuple):
    """Monte Carlo of a padded cosine: mean with its 95 % interval, mean square with its own."""

    mean: float
    interval: Interval
    square: float
    square_interval: Interval


def simulate_padding(cosine_before: float, r: float, m: int, draws: int = 4000, seed: int = 0) -> Simulated:
    """cos((x, u), (y, v)) over `draws` independent paddings u, v ~ N(0, I_m), straight from the definition.

    Memory: two arrays of 500 x m at a time.
    """
    rng = np.random.default_rng(seed)
    x, y = pair(cosine_before, r)
    found = []
    for size in [500] * (draws // 500) + [draws % 500] * (draws % 500 > 0):
        padded = [np.hstack([np.tile(z, (size, 1)), rng.standard_normal((size, m))]) for z in (x, y)]
        found.append(cosine(*padded))
    values = np.concatenate(found)
    return Simulated(*_mean_and_interval(values), *_mean_and_interval(values**2))


def monte_carlo(cosines: Sequence[float], norms: Sequence[float], m: int, draws: int, seed: int = 0) -> pd.DataFrame:
    """Formula and simulation for every cosine and norm: columns before, r, formula, mean, low, high, inside, square.

    `square` is the simulated mean of the squared cosine over `second_moment`; of many 95 % intervals one in twenty
    leaves the formula outside.
    """
    rows = []
    for before in cosines:
        for r in norms:
            found, formula = simulate_padding(before, r, m, draws, seed + len(rows)), before * padding_factor(r, m)
            inside = found.interval.low <= formula <= found.interval.high
            square = found.square / second_moment(before, r, m)
            rows.append((before, r, formula, found.mean, *found.interval, inside, square))
    return pd.DataFrame(rows, columns=["before", "r", "formula", "mean", "low", "high", "inside", "square"])


def of_tokens(
    model: str, corpus: str, m: int, *, max_length: int = 128, sources: Sequence[str], seed: int = 0, **loading
) -> pd.DataFrame:
    """By entry of the residual stream: median norm of the tokens of one text, and the factor of vectors that long.

    `loading` goes to `models.load`.
    """
    loaded = models.load(model, sources=sources, seed=seed, **loading)
    text = corpora.sample_texts(corpora.load(corpus, sources), 1, seed)[0]
    ids = loaded.tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")["input_ids"]
    median = lambda _, z: z[0].float().norm(dim=-1).median().item()
    with torch.inference_mode(), hooks.residual_stream(loaded.model, median) as norms:
        hooks.backbone(loaded.model)(ids.to(loaded.model.device))
    found = pd.Series(norms, name="median norm").rename_axis("entry").to_frame()
    return found.assign(factor=padding_factor(found["median norm"].to_numpy(), m))


def _mean_and_interval(values: np.ndarray) -> tuple[float, Interval]:
    mean, error = float(values.mean()), 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return mean, Interval(mean - error, mean + error)
