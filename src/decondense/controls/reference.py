"""The mean of other texts, which is taken away from a text before its cosines: streamed, without massive tokens."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MASSIVE = 10  # times the median norm of the text, from where on a token is massive
TOP = (1, 3, 5)  # dimensions of the mean direction that are left out


def massive(norms: Float[Tensor, "tokens"]) -> Bool[Tensor, "tokens"]:
    """Tokens whose norm is above 10 x the median norm of the text (massive activations), or not finite.

    Source: Sun et al. 2024, whose threshold is 1,000 for a single activation; a norm is what the mean depends on.
    """
    return ~(norms <= MASSIVE * norms.nanmedian())


class Moments(NamedTuple):
    """Number of tokens, their mean, and the sum of their squared differences to it, for each dimension."""

    tokens: int
    mean: Float[Tensor, "features"]
    squares: Float[Tensor, "features"]


def moments(z: Float[Tensor, "tokens features"], norms: Float[Tensor, "tokens"]) -> Moments | None:
    """Of the tokens of one text without token 0 and without `massive` ones; `None` if none is left.

    One massive token rules a mean: SmolLM2's first one has 154 x the median norm.
    """
    kept = ~massive(norms)
    kept[0] = False
    z = z[kept]
    if not len(z):
        return None
    mean = z.mean(0)
    return Moments(len(z), mean, (z - mean).square().sum(0))


def merged(first: Moments | None, second: Moments | None) -> Moments | None:
    """The moments of both sets of tokens (Chan et al. 1983: no difference of large numbers)."""
    if first is None or second is None:
        return second if first is None else first
    tokens, apart = first.tokens + second.tokens, second.mean - first.mean
    mean = first.mean + apart * (second.tokens / tokens)
    squares = first.squares + second.squares + apart.square() * (first.tokens * second.tokens / tokens)
    return Moments(tokens, mean, squares)


class Reference(NamedTuple):
    """What is known of other texts: their mean c, 1 / s with s the standard deviation (0 where s is), the dimensions
    with the largest |c_k|, and the share of ||c||^2 that the first 1, 3 and 5 of these hold.
    """

    mean: Float[Tensor, "features"]
    scale: Float[Tensor, "features"]
    largest: Int[Tensor, "_largest"]
    shares: Float[Tensor, "top"]


def reference(found: Moments) -> Reference:
    """The reference that the moments of other texts give."""
    deviation = (found.squares / found.tokens).sqrt()
    scale = torch.where(deviation > 0, 1 / deviation, 0)  # a dimension that is constant separates nothing
    top, largest = found.mean.abs().topk(min(max(TOP), len(found.mean)))
    held = top.square().cumsum(0) / found.mean.square().sum()
    return Reference(found.mean, scale, largest, held[[min(k, len(largest)) - 1 for k in TOP]])
