"""The states of one layer of a model on texts of a corpus: what pages look at that need the states themselves."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .. import corpora, hooks


def rows(corpus: corpora.Corpus, tokenizer, n_texts: int, max_length: int, seed: int) -> Int[Tensor, "texts tokens"]:
    """The token ids of texts of `corpora.sample_texts`, all cut to the length of the shortest.

    Raises
        ValueError: as `corpora.sample_texts`.
    """
    samples = corpora.sample_texts(corpus, n_texts, seed)
    ids = tokenizer(samples, truncation=True, max_length=max_length)["input_ids"]
    return torch.tensor([row[: min(map(len, ids))] for row in ids])


def entry_at(model: torch.nn.Module, depth: float) -> int:
    """The entry round(depth L), 1 at least, of a model of L blocks.

    Raises
        ValueError: a depth outside (0, 1].
    """
    check_depth(depth)
    return max(1, round(depth * (hooks.n_entries(model) - 1)))


def check_depth(depth: float) -> None:
    """Refuse a share of the depth outside (0, 1]."""
    if not 0 < depth <= 1:
        raise ValueError(f"depth must lie in (0, 1], got {depth}.")


def states(
    model: torch.nn.Module, ids: Int[Tensor, "texts tokens"], entry: int
) -> Float[Tensor, "texts tokens features"]:
    """The residual stream at one entry, on the CPU, without a gradient."""
    keep = lambda at, hidden: hidden.cpu() if at == entry else None
    with torch.no_grad(), hooks.residual_stream(model, keep) as stream:
        hooks.backbone(model)(ids.to(model.device))
    return stream[entry]
