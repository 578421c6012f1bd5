"""The dispersion loss, its alternatives of Table 1, and the losses of Wang & He they come from.

    from decondense import losses
    loss = language_loss + 0.1 * losses.dispersion(hidden)      # hidden: (batch, tokens, features)

Each loss is a function of the hidden states z of one layer. It is taken of each sequence on its own and averaged over
the sequences. Common to all:

mask
    (batch, tokens), True (or 1) for tokens that take part, as Hugging Face's `attention_mask`. A sequence with fewer
    than two of them has no pair and is left out of the average.
subsample, generator
    Take that many positions of each sequence at random (all, if it has fewer), anew at every call. The released code
    of the paper takes 256. `None`: every token. `generator` makes the draw repeatable; without one the global random
    state decides.

All reductions run in float32, or in float64 for float64 input, under autocast as well. Value and gradient are finite
for identical tokens, antipodes and zero vectors. NaN in z gives NaN.

Raises (all of them)
    ValueError: z has fewer than two tokens, or the mask leaves no sequence two; a mask of another shape; an option
        out of its range.
"""

import inspect
import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..base.errors import unknown
from .batch import counts, directions, masked, mean_over_sequences, prepare
from .expansion import mean_over_pairs, sum_of_squared_products
from .pairs import pair_sum

Hidden = Float[Tensor, "batch tokens features"]
Mask = Bool[Tensor, "batch tokens"] | Int[Tensor, "batch tokens"] | Float[Tensor, "batch tokens"]
Scalar = Float[Tensor, ""]

CLAMP = 0.1  # the released training script's; its class has 0.25
EPS = 1e-2  # added to norms by the released code
LOWEST_TEMPERATURE = 0.02  # below it the exponentials leave the range of float32


def dispersion(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    temperature: float = 1.0, clamp: float = CLAMP, eps: float = EPS, order: int | None = None,
) -> Scalar:  # fmt: skip
    """log mean_{i != j} exp(-D_ij / temperature), with the angular distance D_ij = arccos(cos(z_i, z_j)) / pi.

    Low when the tokens point apart. Range: between -(1 - arccos(1 - clamp) / pi) / temperature and
    -arccos(1 - clamp) / (pi temperature). The paper's formula has the sum in place of the mean, log(N (N - 1)) more.
    The diagonal is excluded.

    clamp
        The cosine is cut to [-1 + clamp, 1 - clamp] before the arccos. The gradient is straight-through: outside the
        band it is that at the band's edge, so that tokens that coincide in direction are still pushed apart.
    eps
        Vectors are divided by (norm + eps).
    order
        `None`: all pairs. 1: their mean cosine, O(N d). 2: and its variance, O(N d^2). See `expansion`.

    Source: Table 1 and Section 4 of the paper; mean, clamp and eps as in the released code.
    """
    _check_options(temperature=temperature, clamp=clamp, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    # exp(-(D - 1/2) / temperature), so that small temperatures do not overflow.
    kernel = partial(_dispersion_kernel, temperature, clamp)
    if order is not None:
        mean = mean_over_pairs(z, kernel, order, eps=eps, mask=mask)
        return mean_over_sequences(lambda s, n: s.log() - 0.5 / temperature, mean, z, mask)
    total = pair_sum(directions(z, eps), kernel, mask=mask)
    return mean_over_sequences(lambda s, n: (s / (n * (n - 1))).log() - 0.5 / temperature, total, z, mask)


def _dispersion_kernel(temperature: float, clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    c = cosine.clamp_(clamp - 1, 1 - clamp)
    value = c.acos().mul_(-1 / (math.pi * temperature)).add_(0.5 / temperature).exp_()
    slope = c.square_().neg_().add_(1).rsqrt_().mul_(value).mul_(1 / (math.pi * temperature))
    return value, slope


def orthogonalization(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    clamp: float = CLAMP, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """mean_{i != j} max(0, 1/2 - D_ij)^2: pushes pairs closer than 90 degrees apart, and leaves the others alone.

    D, `clamp` (straight-through) and `eps` as in `dispersion`. Range [0, 1/4). The diagonal is excluded.

    Source: Table 1 of the paper.
    """
    _check_options(clamp=clamp, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    total = pair_sum(directions(z, eps), partial(_orthogonalization_kernel, clamp), mask=mask)
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


def _orthogonalization_kernel(clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    c = cosine.clamp_(clamp - 1, 1 - clamp)
    short = c.acos().mul_(-1 / math.pi).add_(0.5).clamp_min_(0)  # by how much a pair is closer than 90 degrees
    slope = c.square_().neg_().add_(1).rsqrt_().mul_(short).mul_(2 / math.pi)
    return short.square_(), slope


def l2_repel(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    temperature: float = 1.0, norm_weight: float = 0.1,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(-||z_i - z_j||^2 / temperature) + norm_weight * mean(z^2).

    The second term, a mean over tokens and features, keeps the norms from growing without bound. The diagonal is
    included, so the first term lies in [-log N, 0]; where all distances are large it is flat.

    Source: Table 1 of the paper; `norm_weight` and the diagonal as in the released code.
    """
    _check_options(temperature=temperature, norm_weight=norm_weight)
    z, mask = prepare(z, mask, subsample, generator)
    squares = z.square().mean(-1)
    size = mean_over_sequences(lambda s, n: s / n, squares.sum(-1), z, mask)
    return _log_mean_exp_of_distances(z, mask, temperature) + norm_weight * size


def decorrelation(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    eps: float = 1e-3,
) -> Scalar:  # fmt: skip
    """Mean squared off-diagonal entry of the d x d correlation matrix of the features over the tokens.

    Each feature is centred over the tokens and divided by (its standard deviation + eps); R = X^T X / N. Range [0, 1].
    This is the form of the paper's text and formula; the released code has another, `decorrelation_tokens`.

    Source: Table 1 of the paper; Zbontar et al. 2021 (Barlow Twins) for the idea.
    """
    _check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    n = counts(z, mask)
    centred = masked(z - z.sum(1, keepdim=True) / n[:, None, None], mask)
    deviation = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / n[:, None, None].sqrt()
    x = centred / (deviation + eps)
    d = z.shape[-1]
    total = sum_of_squared_products(x.mT) / (d * max(d - 1, 1))
    return mean_over_sequences(lambda s, n: s / n**2, total, z, mask)


def decorrelation_tokens(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    eps: float = 1e-3,
) -> Scalar:  # fmt: skip
    """Mean squared off-diagonal entry of the N x N correlation matrix of the tokens over the features.

    Each token is centred over its features and divided by (its standard deviation + eps); R = X X^T / d. Range [0, 1].
    The diagonal is excluded. This is what the released code computes, so the rows of Table 2 are its.

    Source: released code of the paper.
    """
    _check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    centred = z - z.mean(-1, keepdim=True)
    deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / z.shape[-1] ** 0.5
    total = sum_of_squared_products(centred / (deviation + eps)) / z.shape[-1] ** 2
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


def wang_he_cosine(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    temperature: float = 1.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(cos(z_i, z_j) / temperature), the diagonal included. Range [-1, 1] / temperature.

    Source: Wang & He 2025, "Diffuse and Disperse", InfoNCE form with the cosine; there z are the examples of a
    batch, here the tokens of a sequence.
    """
    _check_options(temperature=temperature, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    u = directions(z, eps)
    kernel = lambda c: ((value := c.mul_(1 / temperature).exp_()), value / temperature)
    itself = masked((u.square().sum(-1) / temperature).exp(), mask).sum(-1)
    total = pair_sum(u, kernel, mask=mask) + itself
    return mean_over_sequences(lambda s, n: (s / n**2).log(), total, z, mask)


def wang_he_l2(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    temperature: float = 1.0,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(-||z_i - z_j||^2 / temperature), the diagonal included. Range [-log N, 0].

    Source: Wang & He 2025, InfoNCE form with the squared distance; tokens in place of examples.
    """
    _check_options(temperature=temperature)
    z, mask = prepare(z, mask, subsample, generator)
    return _log_mean_exp_of_distances(z, mask, temperature)


def wang_he_hinge(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None,
    margin: float = 1.0,
) -> Scalar:  # fmt: skip
    """mean_{i, j} max(0, margin - ||z_i - z_j||^2)^2, the diagonal included. Range (0, margin^2].

    Source: Wang & He 2025, hinge form; tokens in place of examples. Table 1 of the paper prints it with D = -cos.
    """
    _check_options(margin=margin)
    z, mask = prepare(z, mask, subsample, generator)
    x, offset = _half_squared_distances(z, mask)

    def kernel(t: Tensor) -> tuple[Tensor, Tensor]:  # t = -distance^2 / 2
        short = (2 * t.clamp_max_(0) + margin).clamp_min_(0)
        return short.square(), 4 * short

    total = pair_sum(x, kernel, offset=offset, mask=mask)
    return mean_over_sequences(lambda s, n: (s + n * margin**2) / n**2, total, z, mask)


def wang_he_covariance(
    z: Hidden, *, mask: Mask | None = None, subsample: int | None = None, generator: torch.Generator | None = None
) -> Scalar:
    """Sum of the squared off-diagonal entries of the d x d covariance matrix of the features. Range [0, inf).

    Source: Wang & He 2025, covariance form; tokens in place of examples. Table 1 of the paper prints it of features
    divided by their standard deviation, with the diagonal: that is `decorrelation` up to scale and a constant.
    """
    z, mask = prepare(z, mask, subsample, generator)
    n = counts(z, mask)
    centred = masked(z - z.sum(1, keepdim=True) / n[:, None, None], mask)
    return mean_over_sequences(lambda s, n: s / n**2, sum_of_squared_products(centred.mT), z, mask)


LOSSES: dict[str, Callable[..., Scalar]] = {
    f.__name__: f
    for f in (
        dispersion, decorrelation, decorrelation_tokens, l2_repel, orthogonalization,
        wang_he_l2, wang_he_cosine, wang_he_hinge, wang_he_covariance,
    )
}  # fmt: skip


def names() -> list[str]:
    """The names that `get` knows: Table 1 first, then Wang & He's."""
    return list(LOSSES)


def get(name: str, **options) -> Callable[..., Scalar]:
    """The loss `name` with some of its options set: `losses.get("dispersion", temperature=0.5)(z, mask=mask)`.

    Raises
        ValueError: unknown loss, or an option that this loss does not have.
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    known = [option for option in inspect.signature(LOSSES[name]).parameters if option not in ("z", "mask")]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    return partial(LOSSES[name], **options)


class Loss(torch.nn.Module):
    """A loss as a module: `Loss("dispersion", temperature=0.5)(z, mask)`. Has no parameters."""

    def __init__(self, name: str = "dispersion", **options):
        super().__init__()
        self.name, self.options = name, options
        self._loss = get(name, **options)

    def forward(self, z: Hidden, mask: Mask | None = None) -> Scalar:
        return self._loss(z, mask=mask)

    def extra_repr(self) -> str:
        return ", ".join([repr(self.name), *(f"{k}={v!r}" for k, v in self.options.items())])


# --- what they share ------------------------------------------------------------------------------------------------


_RANGES = {
    "temperature": (LOWEST_TEMPERATURE, math.inf),
    "clamp": (1e-6, 0.999),  # at 0 the slope of arccos is infinite where tokens coincide
    "eps": (1e-12, math.inf),
    "margin": (1e-12, math.inf),
    "norm_weight": (0, math.inf),
}


def _check_options(**options: float) -> None:
    for name, value in options.items():
        low, high = _RANGES[name]
        if not (low <= value <= high) or value == math.inf:
            raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value}.")


def _half_squared_distances(z: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """x and a with <x_i, x_j> + a_i + a_j = -||z_i - z_j||^2 / 2."""
    # Distances do not change when the mean is taken away, and the smaller numbers round less.
    x = masked(z - (z.sum(1, keepdim=True) / counts(z, mask)[:, None, None]).detach(), mask)
    return x, -0.5 * x.square().sum(-1)


def _log_mean_exp_of_distances(z: Tensor, mask: Tensor | None, temperature: float) -> Scalar:
    x, offset = _half_squared_distances(z, mask)
    kernel = lambda t: ((value := t.clamp_max_(0).mul_(2 / temperature).exp_()), value * (2 / temperature))
    total = pair_sum(x, kernel, offset=offset, mask=mask)
    return mean_over_sequences(lambda s, n: ((s + n) / n**2).log(), total, z, mask)
