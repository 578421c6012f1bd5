"""The rows of an embedding under each cure: cosines, their tie to frequency, neighbours by category."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.stats import spearmanr
from torch import Tensor

from ... import metrics, posthoc
from ...controls.reference import massive

GROUPS = 20  # of rows, disjoint and drawn at random: the units of the intervals
SHOWN = 500  # rows in a figure
SHRINKAGE = 1e-6  # of whitening: behind a LayerNorm one direction has no variance, which cannot be given any

CURES: dict[str, Callable[[Tensor], Callable[[Tensor], Tensor]]] = {
    "none": lambda z: lambda other: other,
    "centring": posthoc.centre,
    "all-but-the-top": lambda z: posthoc.all_but_the_top(z, leading(z.shape[-1])),
    "whitening": lambda z: posthoc.whiten(z, SHRINKAGE),
}


def leading(features: int) -> int:
    """How many principal directions all-but-the-top takes: features / 100, as Mu & Viswanath advise, 1 at least."""
    return max(1, round(features / 100))


def ordinary(z: Float[Tensor, "tokens features"]) -> Float[Tensor, "some features"]:
    """The rows that are not `massive`: a few that are much longer than the median row would rule the mean."""
    return z[~massive(z.float().norm(dim=-1))]


def categories() -> pd.DataFrame:
    """Words with their categories: ten of twelve words each, chosen for this book."""
    return pd.read_csv(Path(__file__).with_name("categories.csv"))


def describe(
    z: Float[Tensor, "rows features"], frequency: Int[np.ndarray, "rows"], row_of: Mapping[str, int], seed: int = 0
) -> dict:
    """All that the page asks of one embedding, as a record keeps it.

    frequency
        How often each row's word or token comes.
    row_of
        The row of each word of `categories` that has one.

    Cosines are those of the half of the rows that the cure was not fitted on, in disjoint groups (`GROUPS` in all
    rows); neighbours are those after a fit on all rows, as the cures are used.
    """
    order = torch.tensor(np.random.default_rng(seed).permutation(len(z)))
    groups = order.tensor_split(GROUPS)
    half = torch.cat(groups[: GROUPS // 2])
    to_mean, log = metrics.cosine_to_mean(z).double().numpy(), np.log(frequency)
    tie = [float(spearmanr(to_mean[group], log[group]).statistic) for group in groups]
    cosine, rank, precision = {}, {}, {}
    for name, fit in CURES.items():
        cure, fitted = fit(z[half]), fit(z)(z)
        cosine[name] = [float(metrics.mean_cosine(cure(z[group])).off_diagonal) for group in groups[GROUPS // 2 :]]
        rank[name] = metrics.effective_rank(fitted)
        precision[name] = own_category(fitted, row_of)
    shown = order[:SHOWN].numpy()
    points = {"frequency": frequency[shown].tolist(), "cosine": to_mean[shown].round(4).tolist()}
    return {
        "rows": len(z), "features": z.shape[-1], "cosine": cosine, "tie": tie, "rank": rank, "precision": precision,
        "chance": float(np.mean(list(by_chance(row_of).values()))), "points": points,
    }  # fmt: skip


def _present(row_of: Mapping[str, int]) -> pd.DataFrame:
    """The words that have a row, in categories with two or more of them; an error where there are none."""
    found = categories()
    found = found[found.word.isin(list(row_of))]
    found = found[found.groupby("category").word.transform("size") > 1].reset_index(drop=True)
    if found.empty:
        raise ValueError("No category has two words with a row of their own: take a larger vocabulary or corpus.")
    return found


def own_category(z: Float[Tensor, "rows features"], row_of: Mapping[str, int]) -> dict[str, float]:
    """By word, the share of its n - 1 nearest words that are of its category, which has n words; by cosine.

    All words are those of `categories` that have a row. Range [0, 1]; of neighbours at random `by_chance`.
    """
    found = _present(row_of)
    u = metrics.unit_rows(z[[row_of[word] for word in found.word]].double())
    cosine = (u @ u.T).fill_diagonal_(-2)
    same = found.category.to_numpy()[:, None] == found.category.to_numpy()
    nearest = cosine.argsort(dim=1, descending=True, stable=True).numpy()
    sizes = same.sum(1) - 1
    return {word: float(same[k, nearest[k, : sizes[k]]].mean()) for k, word in enumerate(found.word)}


def by_chance(row_of: Mapping[str, int]) -> dict[str, float]:
    """By word, the mean of `own_category` over all orders of the neighbours: (n - 1) / (words - 1)."""
    found = _present(row_of)
    sizes = found.groupby("category").word.transform("size")
    return dict(zip(found.word, (sizes - 1) / (len(found) - 1), strict=True))


def rows_of_tokens(tokenizer, words: Sequence[str]) -> dict[str, int]:
    """The token of each word as it comes inside a sentence (with the space before it), where it is a single one."""
    ids = {word: tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in words}
    return {word: found[0] for word, found in ids.items() if len(found) == 1}
