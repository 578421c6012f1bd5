"""Sums of unit vectors of one text, many at once: a mean cosine needs nothing else of a set of tokens."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Sums(NamedTuple):
    """Of several views of one text: the sum of its unit vectors, of their squared lengths, and how many they are."""

    total: Float[Tensor, "views features"]
    squares: Float[Tensor, "views"]
    tokens: Float[Tensor, "views"]


def exact(z: Tensor) -> Tensor:
    """In float64 where the device has it."""
    return z.to(torch.float32 if z.device.type == "mps" else torch.float64)


def of_subsets(
    z: Float[Tensor, "tokens features"],
    norms: Float[Tensor, "tokens"],
    kept: Bool[Tensor, "views tokens"],
    eps: float,
) -> Sums:
    """Sums over the tokens that each view keeps, in one matrix product: O(views N d)."""
    scale = kept / norms.clamp_min(eps)
    return Sums(scale @ z, exact(norms * scale).square().sum(-1), exact(kept.sum(-1)))


def without_dimensions(
    z: Float[Tensor, "tokens features"], largest: Int[Tensor, "_largest"], numbers: Sequence[int], eps: float
) -> Sums:
    """Sums of the unit vectors of z without the first 1, 3, ... (`numbers`) of the dimensions `largest`.

    The norms are added up from what is left, never by subtraction: a rogue dimension can hold nearly all of them.
    """
    rest = z.index_fill(1, largest, 0)
    squares = torch.cat([z[:, largest].square(), rest.square().sum(-1, keepdim=True)], -1)
    left = squares.flip(-1).cumsum(-1).flip(-1)  # column k: all but the first k of them
    norms = left[:, [min(number, len(largest)) for number in numbers]].T.sqrt()
    scale = 1 / norms.clamp_min(eps)
    total = scale @ z
    for view, number in enumerate(numbers):
        total[view, largest[:number]] = 0
    return Sums(total, exact(norms * scale).square().sum(-1), exact(scale.new_full((len(numbers),), len(z))))


def joined(parts: Sequence[Sums]) -> Sums:
    """The views of all parts, in their order."""
    return Sums(*(torch.cat(field) for field in zip(*parts, strict=True)))


def within(sums: Sums) -> Float[Tensor, "views"]:
    """Mean cosine of the pairs of different tokens, (||S||^2 - sum_i ||u_i||^2) / (n (n - 1)); NaN below two tokens."""
    pairs = sums.tokens * (sums.tokens - 1)
    return (exact(sums.total).square().sum(-1) - sums.squares) / pairs.where(pairs > 0, torch.nan)


def means(sums: Sums) -> Float[Tensor, "views features"]:
    """The mean of the unit vectors; NaN where no token is left."""
    return sums.total / sums.tokens[:, None].to(sums.total.dtype)


def cosines_to_others(
    unit: Float[Tensor, "tokens features"], others: Float[Tensor, "tokens features"]
) -> Float[Tensor, "tokens"]:
    """Cosine of each token to a sum of unit vectors of its own, range [-1, 1]; 0 where these cancel, or are none."""
    dots, lengths = (unit * others).sum(-1), (torch.linalg.vector_norm(one, dim=-1) for one in (unit, others))
    return exact(dots) / exact(torch.stack(list(lengths)).prod(0)).clamp_min(1e-12)
