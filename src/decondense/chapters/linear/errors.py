"""The expansion of the dispersion loss beside the loss over all pairs: values and gradients on the same tokens."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ... import losses
from ...losses import batch, expansion

VARIANTS: dict[str, dict | None] = {  # options of `losses.dispersion`; `None`: no loss at all
    "no loss": None,
    "all pairs": {},
    "order 1": {"order": 1},
    "order 2": {"order": 2},
    "256 tokens": {"subsample": 256},  # all pairs of a random part, as the released code
}
ORDERS = ("order 1", "order 2")


def kernel(c: Float[np.ndarray, "cosines"], clamp: float = losses.CLAMP) -> Float[np.ndarray, "cosines"]:
    """exp(-arccos(c) / pi) with the cosine cut to the band: what the dispersion loss averages at temperature 1."""
    return np.exp(-np.arccos(np.clip(c, clamp - 1, 1 - clamp)) / np.pi)


def loss_and_gradient(z: Float[Tensor, "tokens features"], **options) -> tuple[float, Tensor]:
    """`losses.dispersion` of one sequence, and its gradient, in float64."""
    z = z.detach().double()[None].requires_grad_()
    loss = losses.dispersion(z, **options)
    loss.backward()
    return loss.item(), z.grad[0]


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two gradients, all tokens together; 0 where one of them vanishes."""
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-30))


def errors(z: Float[Tensor, "tokens features"]) -> dict[str, float]:
    """The expansion beside the loss over all pairs, for the tokens of one sequence, in float64.

    `mean`, `spread`, `skewness`, `kurtosis`: of the cosines of pairs. `value`: over all pairs; `centred`: the same
    when the mean of the directions has been taken off each of them. For each order, and for all pairs of 256 random
    tokens: `error`, the difference of the values in percent of |value|; `gradient`, the cosine of the two gradients.
    For each order `bound`, what `expansion.bound` allows, in the unit of `error`. `uniformity`: cosine of the gradient
    with that of Wang & Isola's uniformity at t = 2, up to its diagonal (`wang_he_cosine` at temperature 1/4).
    """
    value, gradient = loss_and_gradient(z)
    u = batch.directions(z.double()[None], losses.EPS)[0]
    moments = expansion.moments_of_pairs(u)
    row = moments._asdict() | {"value": value, "centred": loss_and_gradient(u - u.mean(0), eps=1e-12)[0]}
    for name in (*ORDERS, "256 tokens"):
        options = VARIANTS[name] or {}
        near, push = loss_and_gradient(z, **options, generator=torch.Generator().manual_seed(0))
        row |= {f"error, {name}": 100 * (near - value) / abs(value), f"gradient, {name}": cosine(push, gradient)}
        if "order" in options:
            # |log a - log b| <= -log(1 - |a - b| / max(a, b))
            gap = expansion.bound(kernel, moments, options["order"]) / np.exp(max(near, value))
            row[f"bound, {name}"] = 100 * float(-np.log1p(-gap)) / abs(value) if gap < 1 else np.inf
    uniform = z.detach().double()[None].requires_grad_()
    losses.wang_he_cosine(uniform, temperature=0.25).backward()
    return row | {"uniformity": cosine(uniform.grad[0], gradient)}
