"""Losses of the tokens of a whole batch taken together: features that vary, features that do not vary together.

Self-supervised learning states these of the examples of a batch. Here the examples are the tokens of all sequences
(documents) that take part, each brought to length sqrt(d): then a feature has the mean square 1, as those losses
expect, whatever the scale of the residual stream, and the first token of a trained model, often a hundred times as long
as the others, rules nothing. What all losses share: see the package.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import Hidden, Mask, Scalar, check_options, directions, prepare
from .documents import DocumentIds, sequences
from .expansion import sum_of_squared_products
from .repulsion import EPS

FLOOR = 1e-4  # added to a variance before the root, as by VICReg


def variance(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, margin: float = 1.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """mean over features of max(0, margin - sqrt(variance + 1e-4)): no feature may stand still. Range [0, margin].

    The variance over the tokens of the batch at length sqrt(d), with N - 1. It sees what tokens share as little as any
    variance does; but at a fixed length what goes into the mean is missing in the variances.

    Raises
        ValueError: one sequence (document), which has no spread between texts; and as all losses.

    Source: Bardes et al. 2022 (VICReg), the variance term.
    """
    check_options(margin=margin, eps=eps)
    x = pooled(z, mask, document_ids, subsample, generator, eps, needs="variance")
    return (margin - (x.var(0) + FLOOR).sqrt()).clamp_min(0).mean()


def covariance(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """sum_{a != b} C_ab^2 / d, with C the covariance of the features over the tokens of the batch, at length sqrt(d).

    Range [0, inf). As `variance` it needs two texts. `decorrelation` is the like of each sequence, with correlations.

    Raises
        ValueError: one sequence (document); and as all losses.

    Source: Bardes et al. 2022 (VICReg), the covariance term.
    """
    check_options(eps=eps)
    x = pooled(z, mask, document_ids, subsample, generator, eps, needs="covariance")
    centred = x - x.mean(0)
    return sum_of_squared_products(centred.T[None])[0] / ((len(x) - 1) ** 2 * x.shape[1])


def vicreg(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, variance_weight: float = 25.0, covariance_weight: float = 1.0,
    margin: float = 1.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """variance_weight * `variance` + covariance_weight * `covariance`, of the same tokens. Range [0, inf).

    VICReg's third term, the distance of two views, has no place here: in a language model the next token holds the
    representation to its input.

    Raises
        ValueError: one sequence (document); a negative weight; and as all losses.

    Source: Bardes et al. 2022 (VICReg), with its weights.
    """
    check_options(variance_weight=variance_weight, covariance_weight=covariance_weight, margin=margin, eps=eps)
    x = pooled(z, mask, document_ids, subsample, generator, eps, needs="vicreg")
    centred = x - x.mean(0)
    spread = (margin - (centred.square().sum(0) / (len(x) - 1) + FLOOR).sqrt()).clamp_min(0).mean()
    together = sum_of_squared_products(centred.T[None])[0] / ((len(x) - 1) ** 2 * x.shape[1])
    return variance_weight * spread + covariance_weight * together


def pooled(
    z: Tensor, mask: Tensor | None, document_ids: Tensor | None, subsample: int | None, generator, eps: float,
    needs: str | None = None,
) -> Float[Tensor, "tokens features"]:  # fmt: skip
    """The tokens that take part, those of all sequences (documents) of two or more, each sqrt(d) / (norm + eps) long.

    needs
        The name of a loss that needs two sequences (documents).

    Raises
        ValueError: fewer than two, where two are needed; and as all losses.
    """
    drawn = [prepare(rows, seen, subsample, generator) for rows, seen in sequences(z, mask, document_ids)]
    texts = sum(len(rows) if seen is None else int((seen.sum(1) > 1).sum()) for rows, seen in drawn)
    if not texts:
        raise ValueError("No document has two tokens that take part. Give at least one of two tokens.")
    if needs and texts < 2:
        raise ValueError(
            f"{needs} is of the tokens of a whole batch, and the batch has one text: give two or more. "
            "decorrelation is the like of one text."
        )
    x = torch.cat([rows.flatten(0, 1) if seen is None else rows[seen] for rows, seen in drawn])
    return directions(x, eps) * x.shape[-1] ** 0.5
