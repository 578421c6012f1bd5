"""The mean of a function of the cosines of all pairs, from their mean and variance alone: no pair is made.

With u_i = z_i / (norm + eps), over the N (N - 1) ordered pairs i != j of a sequence:

    mean      m = (||sum_i u_i||^2 - sum_i ||u_i||^2) / (N (N - 1))              O(N d)
    variance  v = (||U^T U||_F^2 - sum_i ||u_i||^4) / (N (N - 1)) - m^2          O(N d min(N, d))

order 1
    f(m). Right where f is linear: the linear term of an expansion around m has mean zero.
order 2
    (f(m + s) + f(m - s)) / 2 with s = sqrt(v), right where f is a parabola, by the two points that have the mean and
    the variance of the cosines. A cut of f, as the clamp of the dispersion loss, acts on them as it does on pairs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .batch import counts
from .pairs import Kernel

ORDERS = (1, 2)
NARROW = 1e-3  # a smaller spread of the cosines gives no difference of slopes above the rounding


def mean_over_pairs(
    z: Float[Tensor, "batch tokens features"], kernel: Kernel, order: int, *, eps: float, mask: Tensor | None = None
) -> Float[Tensor, "batch"]:
    """For each sequence the mean of f over the cosines of its ordered pairs i != j, to first or second order.

    kernel
        Gives f and its slope, as in `pairs.pair_sum`; the slope may be straight-through there. It is asked at
        m +- s, which can lie outside [-1, 1].
    mask
        True for tokens that take part; z must be zero for the others (`batch.prepare`).

    The gradient is that of the sum over pairs in which the slope of f is a line over the cosine: at order 1 the slope
    at m, at order 2 the line through the slopes at m + s and m - s. A second derivative is not that of the mean.

    Raises
        ValueError: another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be 1 or 2, or None for all pairs, got {order}.")
    mean, square = _Moments.apply(z, counts(z, mask), eps, order)
    centre = mean.detach()
    if order == 1:
        value, slope = kernel(centre.clone())
        return _with_gradient(value, slope * mean)
    spread = (square.detach() - centre.square()).clamp_min(0).sqrt()
    value, slope = kernel(torch.stack([centre + spread, centre - spread]))
    curvature = (slope[0] - slope[1]) / (2 * spread.clamp_min(NARROW))
    return _with_gradient(value.mean(0), slope.mean(0) * mean + curvature * (square / 2 - centre * mean))


def _with_gradient(value: Tensor, surrogate: Tensor) -> Tensor:
    return value + (surrogate - surrogate.detach())


class _Moments(torch.autograd.Function):
    """Mean of the cosines of the pairs, and at order 2 the mean of their squares.

    The gradient is written out: through autograd the norms alone would cost more than the moments.
    """

    @staticmethod
    def forward(ctx, z, n, eps, order):
        with torch.autocast(z.device.type, enabled=False):
            norm = torch.linalg.vector_norm(z, dim=-1)
            scale, pairs = 1 / (norm + eps), (n * (n - 1)).clamp_min(1)
            total, length = scale[:, None] @ z, (norm * scale).square()  # the directions are not written out
            gram = None if order == 1 else gram_of(z * scale[..., None])
            mean = (total.square().sum((-2, -1)) - length.sum(-1)) / pairs
            square = mean.square() if gram is None else _off_diagonal(gram, length) / pairs
        ctx.save_for_backward(z, norm, scale, pairs, total, length, gram)
        return mean, square

    @staticmethod
    @once_differentiable
    def backward(ctx, on_mean, on_square):
        """With H_i the gradient at u_i, that at z_i is scale_i (H_i - <H_i, u_i> z_i / norm_i)."""
        with torch.autocast(on_mean.device.type, enabled=False):
            return _Moments._gradient(*ctx.saved_tensors, on_mean, on_square), None, None, None

    @staticmethod
    def _gradient(z, norm, scale, pairs, total, length, gram, on_mean, on_square):
        weight = (2 * on_mean / pairs)[:, None]
        push, itself = weight[..., None] * total, -weight  # H_i = push_i + itself_i u_i
        if gram is not None:
            twice = (4 * on_square / pairs)[:, None]
            u, itself = z * (twice * scale)[..., None], itself - twice * length
            push = push + (gram @ u if gram.shape[1] == u.shape[1] else u @ gram)
        radial = scale * (push * z).sum(-1) + itself * length
        inward = scale * (itself * scale - radial / norm.clamp_min(torch.finfo(norm.dtype).tiny))
        return torch.addcmul(inward[..., None] * z, scale[..., None], push)


def sum_of_squared_products(x: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch"]:
    """sum_{i != j} <x_i, x_j>^2 over ordered pairs of rows, through the smaller of the two Gram matrices."""
    with torch.autocast(x.device.type, enabled=False):
        return _off_diagonal(gram_of(x), x.square().sum(-1))


def gram_of(x: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch smaller smaller"]:
    """The smaller of the two Gram matrices, x x^T and x^T x. Their eigenvalues are the same but for zeros."""
    return _Gram.apply(x)


class _Gram(torch.autograd.Function):
    """With one product in the backward pass: autograd takes the two factors for different ones, and makes two."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x @ x.mT if x.shape[1] <= x.shape[2] else x.mT @ x

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        both = upstream + upstream.mT
        return both @ x if x.shape[1] <= x.shape[2] else x @ both


def _off_diagonal(gram: Tensor, diagonal: Tensor) -> Tensor:
    return gram.square().sum((-2, -1)) - diagonal.square().sum(-1)  # ||x x^T||_F = ||x^T x||_F


# --- how far it is from the sum over pairs --------------------------------------------------------------------------


class Moments(NamedTuple):
    """Of the cosines of the pairs i != j of one sequence; skewness and kurtosis (3 for a normal distribution)."""

    mean: float
    spread: float
    skewness: float
    kurtosis: float


def moments_of_pairs(u: Float[Tensor, "tokens features"]) -> Moments:
    """The first four moments, from all pairs: for checks, not for training."""
    cosines = (u.double() @ u.double().T)[~torch.eye(len(u), dtype=torch.bool, device=u.device)]
    mean, spread = cosines.mean(), cosines.std(correction=0)
    standard = (cosines - mean) / spread.clamp_min(1e-12)
    return Moments(*map(float, (mean, spread, standard.pow(3).mean(), standard.pow(4).mean())))


def bound(f: Callable[[np.ndarray], np.ndarray], moments: Moments, order: int) -> float:
    """Upper bound on |mean of f over pairs - its expansion|, from the moments of the cosines.

    With R the remainder of Taylor's polynomial p of degree `order` at m and K = max |R(c)| / |c - m|^(order + 1) over
    c in [-1, 1] and the two points: K v at order 1 (the mean of p is f(m)), and K s^3 (sqrt(kurtosis) + 1) at order 2
    (p has the same mean over the pairs as over the two points; E|c - m|^3 <= s^3 sqrt(kurtosis) by Cauchy and Schwarz).
    The maximum is taken on a grid, the derivatives at m by central differences. Infinite where m lies at a kink of f.

    Raises
        ValueError: another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be 1 or 2, got {order}.")
    m, s, h = moments.mean, moments.spread, 1e-4
    c = np.concatenate([np.linspace(-1, 1, 4001), [m + s, m - s]])
    c = c[np.abs(c - m) > 20 * h]
    low, at, high = f(np.array([m - h, m, m + h]))
    taylor = at + (high - low) / (2 * h) * (c - m)
    if order == 1:
        return float((np.abs(f(c) - taylor) / (c - m) ** 2).max() * s**2)
    taylor += (high - 2 * at + low) / (2 * h**2) * (c - m) ** 2
    return float((np.abs(f(c) - taylor) / np.abs(c - m) ** 3).max() * s**3 * (moments.kurtosis**0.5 + 1))
