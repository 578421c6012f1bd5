"""A loss between the texts of a batch: the direction that they share. What all losses share: see the package."""

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import Hidden, Mask, Scalar, check_options, counts, directions, prepare
from .documents import DocumentIds, sequences
from .repulsion import EPS


def mean_direction(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """Mean cosine of tokens of different sequences: sum_{s != t} <m_s, m_t> / (S (S - 1)), ordered pairs, in O(N d).

    m_s is the mean over the tokens of sequence (document) s of z / (norm + eps), and S the number of sequences. Range
    [-1 / (S - 1), 1]. It is low where the texts share no direction, and how the tokens of one text lie to one another
    does not enter: `dispersion` with `centre` pushes that. Not an average over the sequences, unlike all other losses:
    the batch decides between which texts.

    Raises
        ValueError: one sequence (document) of two tokens or more, or none; and as all losses.

    Source: this library; Ethayarajh 2019 for the measure.
    """
    check_options(eps=eps)
    drawn = (prepare(rows, seen, subsample, generator) for rows, seen in sequences(z, mask, document_ids))
    m = torch.cat([_mean_directions(rows, seen, eps) for rows, seen in drawn] or [z.new_zeros(0, 1)])
    if len(m) < 2:
        raise ValueError(
            f"mean_direction is between texts, and the batch has {len(m)} of two tokens or more. Give it two or more."
        )
    return (m.sum(0).square().sum() - m.square().sum()) / (len(m) * (len(m) - 1))


def _mean_directions(z: Tensor, mask: Tensor | None, eps: float) -> Float[Tensor, "sequences features"]:
    """The mean unit vector of each sequence of two tokens or more; z is 0 for the tokens that take no part."""
    n = counts(z, mask)
    return (directions(z, eps).sum(1) / n[:, None])[n > 1]
