"""Losses that push the tokens of a sequence apart, pair by pair. What all of them share: see the package."""

import math
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import (
    Hidden,
    Mask,
    Scalar,
    check_options,
    counts,
    directions,
    masked,
    mean_over_sequences,
    prepare,
    warn_if_flat,
)
from .centre import centred
from .documents import DocumentIds, by_document, mean_over_documents
from .expansion import mean_over_pairs
from .pairs import Kernel, pair_sum

CLAMP = 0.1  # the released training script's; its class has 0.25
EPS = 1e-2  # added to norms by the released code


def dispersion(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, temperature: float = 1.0, clamp: float = CLAMP, eps: float = EPS,
    acute: bool = False, order: int | None = None, centre: Literal["batch"] | Float[Tensor, "features"] | None = None,
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
    acute
        Only pairs at an acute angle are pushed: the cosine is cut to [clamp, 1 - clamp], without a gradient outside of
        it, as in one commit of the released pre-training code. Tokens that coincide are not pushed either.
    order
        `None`: all pairs. 1: their mean cosine, O(N d). 2: and its variance, O(N d^2). See `expansion`.
    centre
        The cosines are those of z - c, so that what the texts share is not pushed, but only what the tokens of a text
        share beyond it. "batch": c is the mean over the tokens of the other sequences (documents) that take part. Their
        own would take away what is to be pushed. Of few others c still holds some of what is theirs alone: about one
        part in their number. Tokens longer than 10 times the median norm of the batch are left out
        of c, which they would rule: the first token of a trained model is often a hundred times as long as the others.
        A tensor (features,): a running mean that the caller keeps. No gradient goes through c: it would move the
        tokens of other texts to where these look spread. `mean_direction` is the loss of what is left out here.

    Raises
        ValueError: `centre="batch"` with one sequence (document); a centre of another shape; `acute` with a clamp of
            1/2 or more, which leaves no cosine; and as all losses.

    Source: Table 1 and Section 4 of the paper; mean, clamp and eps as in the released code; `centre` is this library's.
    """
    check_options(temperature=temperature, clamp=clamp, eps=eps)
    if acute and clamp >= 0.5:
        raise ValueError(f"acute leaves the cosines from clamp to 1 - clamp: clamp must be below 0.5, got {clamp}.")
    z = z if centre is None else centred(z, centre, mask, document_ids)
    how = {"subsample": subsample, "generator": generator, "eps": eps, "order": order}
    kernel = partial(_acute_kernel if acute else _dispersion_kernel, temperature, clamp)
    return mean_over_documents(_dispersion, z, mask, document_ids, kernel=kernel, **how)


def _dispersion(
    z: Tensor, *, mask: Tensor | None, subsample: int | None, generator: torch.Generator | None, eps: float,
    order: int | None, kernel: Kernel,
) -> Scalar:  # fmt: skip
    z, mask = prepare(z, mask, subsample, generator)
    if order is not None:
        mean = mean_over_pairs(z, kernel, order, eps=eps, mask=mask)
        return mean_over_sequences(lambda s, n: s.log(), mean, z, mask)
    total = pair_sum(directions(z, eps), kernel, mask=mask)
    return mean_over_sequences(lambda s, n: (s / (n * (n - 1))).log(), total, z, mask)


def _dispersion_kernel(temperature: float, clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    return _falling(cosine.clamp_(clamp - 1, 1 - clamp), temperature)


def _acute_kernel(temperature: float, clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    inside = (cosine >= clamp) & (cosine <= 1 - clamp)
    value, slope = _falling(cosine.clamp_(clamp, 1 - clamp), temperature)
    return value, slope.mul_(inside)


def _falling(c: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """exp(-arccos(c) / (pi temperature)) and its slope; c, whose place they take, inside of (-1, 1)."""
    value = c.acos().mul_(-1 / (math.pi * temperature)).exp_()  # e^-50 at the lowest temperature: float32 has it
    return value, _slope_of_arccos(c, math.pi * temperature).mul_(value)


def _slope_of_arccos(c: Tensor, scale: float) -> Tensor:
    """1 / (scale sqrt(1 - c^2)), in two passes over c, whose place it takes."""
    return torch.addcmul(c.new_full((), scale**2), c, c, value=-(scale**2), out=c).rsqrt_()


@by_document
def orthogonalization(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, clamp: float = CLAMP, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """mean_{i != j} max(0, 1/2 - D_ij)^2: pushes pairs closer than 90 degrees apart, and leaves the others alone.

    D, `clamp` (straight-through) and `eps` as in `dispersion`. Range [0, 1/4). The diagonal is excluded.

    Source: Table 1 of the paper.
    """
    check_options(clamp=clamp, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    total = pair_sum(directions(z, eps), partial(_orthogonalization_kernel, clamp), mask=mask)
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


def _orthogonalization_kernel(clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    c = cosine.clamp_(clamp - 1, 1 - clamp)
    short = torch.rsub(c.acos(), 0.5, alpha=1 / math.pi).clamp_min_(0)  # by how much closer than 90 degrees
    return short.square(), _slope_of_arccos(c, math.pi / 2).mul_(short)


@by_document
def l2_repel(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, temperature: float = 1.0, norm_weight: float = 0.1,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(-||z_i - z_j||^2 / temperature) + norm_weight * mean(z^2).

    The second term, a mean over tokens and features, keeps the norms from growing without bound. The diagonal is
    included, so the first term lies in [-log N, 0]; where all distances are large it is flat.

    Source: Table 1 of the paper; `norm_weight` and the diagonal as in the released code.
    """
    check_options(temperature=temperature, norm_weight=norm_weight)
    z, mask = prepare(z, mask, subsample, generator)
    squares = z.square().mean(-1)
    size = mean_over_sequences(lambda s, n: s / n, squares.sum(-1), z, mask)
    return _log_mean_exp_of_distances("l2_repel", z, mask, temperature) + norm_weight * size


@by_document
def wang_he_cosine(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, temperature: float = 1.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(cos(z_i, z_j) / temperature), the diagonal included. Range [-1, 1] / temperature.

    Source: Wang & He 2025, "Diffuse and Disperse", InfoNCE form with the cosine; there z are the examples of a
    batch, here the tokens of a sequence.
    """
    check_options(temperature=temperature, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    u = directions(z, eps)
    kernel = lambda c: ((value := c.mul_(1 / temperature).exp_()), value / temperature)
    itself = masked((u.square().sum(-1) / temperature).exp(), mask).sum(-1)
    total = pair_sum(u, kernel, mask=mask)
    warn_if_flat(
        total, itself, lambda: f"wang_he_cosine is flat on these tokens: at temperature {temperature:g} all pairs are "
        "lost in the rounding of the diagonal. Set a higher temperature."
    )  # fmt: skip
    return mean_over_sequences(lambda s, n: (s / n**2).log(), total + itself, z, mask)


@by_document
def wang_he_l2(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, temperature: float = 1.0,
) -> Scalar:  # fmt: skip
    """log mean_{i, j} exp(-||z_i - z_j||^2 / temperature), the diagonal included. Range [-log N, 0].

    Source: Wang & He 2025, InfoNCE form with the squared distance; tokens in place of examples.
    """
    check_options(temperature=temperature)
    z, mask = prepare(z, mask, subsample, generator)
    return _log_mean_exp_of_distances("wang_he_l2", z, mask, temperature)


@by_document
def wang_he_hinge(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, margin: float = 1.0,
) -> Scalar:  # fmt: skip
    """mean_{i, j} max(0, margin - ||z_i - z_j||^2)^2, the diagonal included. Range (0, margin^2].

    Source: Wang & He 2025, hinge form; tokens in place of examples. Table 1 of the paper prints it with D = -cos.
    """
    check_options(margin=margin)
    z, mask = prepare(z, mask, subsample, generator)
    x, offset = _half_squared_distances(z, mask)

    def kernel(t: Tensor) -> tuple[Tensor, Tensor]:  # t = -distance^2 / 2
        short = (2 * t.clamp_max_(0) + margin).clamp_min_(0)
        return short.square(), 4 * short

    total = pair_sum(x, kernel, offset=offset, mask=mask)
    near = partial(_mean_squared_distance, offset, mask)
    warn_if_flat(
        total, counts(z, mask) * margin**2, lambda: f"wang_he_hinge is flat on these tokens: all squared distances, "
        f"about {near():.0e}, are beyond the margin {margin:g}. Set the margin near {near():.0e}."
    )  # fmt: skip
    return mean_over_sequences(lambda s, n: (s + n * margin**2) / n**2, total, z, mask)


def _half_squared_distances(z: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """x and a with <x_i, x_j> + a_i + a_j = -||z_i - z_j||^2 / 2."""
    # Distances do not change when the mean is taken away, and the smaller numbers round less.
    x = masked(z - (z.sum(1, keepdim=True) / counts(z, mask)[:, None, None]).detach(), mask)
    return x, -0.5 * x.square().sum(-1)


def _mean_squared_distance(offset: Tensor, mask: Tensor | None) -> float:
    return float(-4 * (offset if mask is None else offset[mask]).detach().mean())


def _log_mean_exp_of_distances(name: str, z: Tensor, mask: Tensor | None, temperature: float) -> Scalar:
    x, offset = _half_squared_distances(z, mask)
    kernel = lambda t: ((value := t.clamp_max_(0).mul_(2 / temperature).exp_()), value * (2 / temperature))
    total = pair_sum(x, kernel, offset=offset, mask=mask)
    near = partial(_mean_squared_distance, offset, mask)
    warn_if_flat(
        total, counts(z, mask), lambda: f"{name} pushes no tokens apart here: their squared distances are about "
        f"{near():.0e}, and exp(-distance / {temperature:g}) is lost in rounding. Set temperature near {near():.0e}."
    )  # fmt: skip
    return mean_over_sequences(lambda s, n: ((s + n) / n**2).log(), total, z, mask)
