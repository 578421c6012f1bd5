"""Losses of two views of the same tokens, as two passes with dropout make them. What all losses share: the package."""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .batch import Hidden, Mask, Scalar, check_options, directions, mean_over_sequences, prepare
from .documents import DocumentIds, by_document
from .pooled import gathered
from .repulsion import EPS

BLOCK = 256  # rows of similarities at a time


def info_nce(
    z: Hidden, *, views: Hidden, mask: Mask | None = None, document_ids: DocumentIds | None = None,
    subsample: int | None = None, generator: torch.Generator | None = None, temperature: float = 0.05, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """-mean_i log(exp(c_ii / temperature) / sum_j exp(c_ij / temperature)), c_ij the cosine of z_i and of view j.

    views
        The same tokens, as another pass with dropout gives them: (batch, tokens, features). Token i is to find its own
        view among those of its sequence. Range [0, inf).

    Memory is O(N d + 256 N): the similarities of a block of tokens are made anew for the backward pass.

    Raises
        ValueError: the views are equal to z, as without dropout; of another shape; and as all losses.

    Source: van den Oord et al. 2018; Gao et al. 2021 (SimCSE) for the two views by dropout, there of whole sentences
    among those of a batch.
    """
    check_options(temperature=temperature, eps=eps)
    how = {"subsample": subsample, "generator": generator, "temperature": temperature, "eps": eps}
    return _info_nce(_joined(z, views), mask=mask, document_ids=document_ids, **how)


@by_document
def _info_nce(both, *, mask=None, document_ids=None, subsample, generator, temperature, eps) -> Tensor:
    both, mask = prepare(both, mask, subsample, generator)
    u, v = (directions(half, eps) for half in both.chunk(2, dim=-1))
    with torch.autocast(u.device.type, enabled=False):
        others = torch.cat(
            [
                checkpoint(_log_sum, u[:, a : a + BLOCK], v, mask, temperature, use_reentrant=False)
                for a in range(0, u.shape[1], BLOCK)
            ],
            1,
        )
    value = others - (u * v).sum(-1) / temperature
    total = (value if mask is None else value.where(mask, 0)).sum(-1)
    return mean_over_sequences(lambda s, n: s / n, total, both, mask)


def _log_sum(u: Tensor, v: Tensor, mask: Tensor | None, temperature: float) -> Tensor:
    logits = u @ v.mT / temperature
    if mask is not None:
        # A row without any would be NaN; such a sequence is left out of the average.
        logits = logits.masked_fill(~(mask | ~mask.any(1, keepdim=True))[:, None], -torch.inf)
    return logits.logsumexp(-1)


def barlow(
    z: Hidden, *, views: Hidden, mask: Mask | None = None, document_ids: DocumentIds | None = None,
    subsample: int | None = None, generator: torch.Generator | None = None, off_diagonal: float = 0.005,
    eps: float = 1e-3,
) -> Scalar:  # fmt: skip
    """(sum_a (1 - C_aa)^2 + off_diagonal sum_{a != b} C_ab^2) / d, C the correlations of features between two views.

    Over the tokens of the whole batch; each feature of a view is centred and divided by (its standard deviation + eps).
    Range [0, inf). `decorrelation` has one view, and its sequences each on its own.

    views
        The same tokens, as another pass with dropout gives them: (batch, tokens, features).

    Raises
        ValueError: as `info_nce`.

    Source: Zbontar et al. 2021 (Barlow Twins); divided by d, so that the weight does not go with the width.
    """
    check_options(off_diagonal=off_diagonal, eps=eps)
    x, _ = gathered(_joined(z, views), mask, document_ids, subsample, generator)
    x = x - x.mean(0)
    scale = 1 / (torch.linalg.vector_norm(x, dim=0) / len(x) ** 0.5 + eps)
    with torch.autocast(x.device.type, enabled=False):
        first, second = x.chunk(2, dim=-1)
        c = first.T @ second * (scale[: first.shape[1], None] / len(x)) * scale[first.shape[1] :]
    diagonal = c.diagonal()
    apart = (1 - diagonal).square().sum()
    return (apart + off_diagonal * (c.square().sum() - diagonal.square().sum())) / len(c)


def _joined(z: Tensor, views: Tensor) -> Tensor:
    """Both views side by side, so that whatever is done with tokens is done with both."""
    if views.shape != z.shape:
        raise ValueError(f"views must be {tuple(z.shape)} as z, got {tuple(views.shape)}.")
    if not torch.compiler.is_compiling() and torch.equal(z, views):
        raise ValueError(
            "The two views are equal: the model has no dropout, or is not in training mode. Set its dropout above 0."
        )
    return torch.cat([z, views], -1)
