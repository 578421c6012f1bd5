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
    return _short(_centred(z, mask, document_ids, subsample, generator, eps, "variance"), margin)


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
    return _together(_centred(z, mask, document_ids, subsample, generator, eps, "covariance"))


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
    x = _centred(z, mask, document_ids, subsample, generator, eps, "vicreg")
    return variance_weight * _short(x, margin) + covariance_weight * _together(x)


def _short(centred: Float[Tensor, "tokens features"], margin: float) -> Scalar:
    """By how much the standard deviations of the features fall short of the margin."""
    return (margin - (centred.square().sum(0) / (len(centred) - 1) + FLOOR).sqrt()).clamp_min(0).mean()


def _together(centred: Float[Tensor, "tokens features"]) -> Scalar:
    return sum_of_squared_products(centred.T[None])[0] / ((len(centred) - 1) ** 2 * centred.shape[1])


def _centred(
    z: Tensor, mask: Tensor | None, document_ids: Tensor | None, subsample: int | None, generator, eps: float, name: str
) -> Float[Tensor, "tokens features"]:
    """The tokens of a batch of two texts or more, less their mean."""
    x = pooled(z, mask, document_ids, subsample, generator, eps, needs=name)
    return x - x.mean(0)


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
    x, texts = gathered(z, mask, document_ids, subsample, generator)
    if needs and texts < 2:
        raise ValueError(
            f"{needs} is of the tokens of a whole batch, and the batch has one text: give two or more. "
            "decorrelation is the like of one text."
        )
    return directions(x, eps, x.shape[-1] ** 0.5)


def gathered(
    z: Tensor, mask: Tensor | None, document_ids: Tensor | None, subsample: int | None, generator
) -> tuple[Float[Tensor, "tokens features"], int]:
    """The tokens that take part, those of all sequences (documents) of two or more, and how many of these there are.

    Raises
        ValueError: none; and as all losses.
    """
    drawn = [prepare(rows, seen, subsample, generator) for rows, seen in sequences(z, mask, document_ids)]
    if not drawn:
        raise ValueError("No document has two tokens that take part. Give at least one of two tokens.")
    texts = sum(len(rows) if seen is None else int((seen.sum(1) > 1).sum()) for rows, seen in drawn)
    parts = [rows.flatten(0, 1) if seen is None else rows[seen] for rows, seen in drawn]
    return parts[0] if len(parts) == 1 else torch.cat(parts), texts
