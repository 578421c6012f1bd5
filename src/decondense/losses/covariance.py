"""Losses that decorrelate features, or tokens. What all of them share: see the package."""

import torch

from .batch import Hidden, Mask, Scalar, check_options, counts, masked, mean_over_sequences, prepare
from .documents import DocumentIds, by_document
from .expansion import sum_of_squared_products


@by_document
def decorrelation(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = 1e-3,
) -> Scalar:  # fmt: skip
    """Mean squared off-diagonal entry of the d x d correlation matrix of the features over the tokens.

    Each feature is centred over the tokens and divided by (its standard deviation + eps); R = X^T X / N. Range [0, 1].
    This is the form of the paper's text and formula; the released code has another, `decorrelation_tokens`.

    Source: Table 1 of the paper; Zbontar et al. 2021 (Barlow Twins) for the idea.
    """
    check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    n = counts(z, mask)
    centred = masked(z - z.sum(1, keepdim=True) / n[:, None, None], mask)
    deviation = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / n[:, None, None].sqrt()
    x = centred / (deviation + eps)
    d = z.shape[-1]
    total = sum_of_squared_products(x.mT) / (d * max(d - 1, 1))
    return mean_over_sequences(lambda s, n: s / n**2, total, z, mask)


@by_document
def decorrelation_tokens(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = 1e-3,
) -> Scalar:  # fmt: skip
    """Mean squared off-diagonal entry of the N x N correlation matrix of the tokens over the features.

    Each token is centred over its features and divided by (its standard deviation + eps); R = X X^T / d. Range [0, 1].
    The diagonal is excluded. This is what the released code computes, so the rows of Table 2 are its.

    Source: released code of the paper.
    """
    check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    centred = z - z.mean(-1, keepdim=True)
    deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / z.shape[-1] ** 0.5
    total = sum_of_squared_products(centred / (deviation + eps)) / z.shape[-1] ** 2
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


@by_document
def wang_he_covariance(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None,
) -> Scalar:  # fmt: skip
    """Sum of the squared off-diagonal entries of the d x d covariance matrix of the features. Range [0, inf).

    Source: Wang & He 2025, covariance form; tokens in place of examples. Table 1 of the paper prints it of features
    divided by their standard deviation, with the diagonal: that is `decorrelation` up to scale and a constant.
    """
    z, mask = prepare(z, mask, subsample, generator)
    n = counts(z, mask)
    centred = masked(z - z.sum(1, keepdim=True) / n[:, None, None], mask)
    return mean_over_sequences(lambda s, n: s / n**2, sum_of_squared_products(centred.mT), z, mask)
