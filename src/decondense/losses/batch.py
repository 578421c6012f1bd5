"""What every loss does with a batch of sequences: options, mask, random positions, the average over the sequences."""

import math
import warnings
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Hidden = Float[Tensor, "batch tokens features"]
Mask = Bool[Tensor, "batch tokens"] | Int[Tensor, "batch tokens"] | Float[Tensor, "batch tokens"]
Scalar = Float[Tensor, ""]

LOWEST_TEMPERATURE = 0.02  # below it the exponentials leave the range of float32
_RANGES = {
    "temperature": (LOWEST_TEMPERATURE, math.inf),
    "clamp": (1e-6, 0.999),  # at 0 the slope of arccos is infinite where tokens coincide
    "eps": (1e-12, math.inf),
    "margin": (1e-12, math.inf),
    "norm_weight": (0, math.inf),
    "t": (1e-3, 20),  # exp(-4 t) stays in the range of float32
    "power": (0.1, 8),
    "variance_weight": (0, math.inf),
    "covariance_weight": (0, math.inf),
    "off_diagonal": (0, math.inf),
    "distortion": (1e-3, math.inf),
    "floor": (0.01, 1),
}


def check_options(**options: float) -> None:
    """Refuse an option of a loss that lies out of its range."""
    for name, value in options.items():
        low, high = _RANGES[name]
        if not (low <= value <= high) or value == math.inf:
            raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value}.")


def visible(z: Tensor, mask: Tensor | None) -> Bool[Tensor, "batch tokens"] | None:
    """Which tokens of z take part, as booleans where z is; `None`, without a mask, for all.

    Raises
        ValueError: z is not (batch, tokens, features) of floats; a mask of another shape.
    """
    if z.ndim != 3 or not z.is_floating_point():
        raise ValueError(f"z must be (batch, tokens, features) of floats, got {tuple(z.shape)} of {z.dtype}.")
    if mask is not None and mask.shape != z.shape[:2]:
        raise ValueError(f"mask must be {tuple(z.shape[:2])} as the tokens of z, got {tuple(mask.shape)}.")
    return None if mask is None else mask.to(device=z.device, dtype=torch.bool)


def prepare(z: Tensor, mask: Tensor | None, subsample: int | None, generator) -> tuple[Tensor, Tensor | None]:
    """z in float32 at least, hidden tokens set to zero (whatever they held), positions drawn; and a boolean mask.

    Raises
        ValueError: see the package `losses`.
    """
    mask = visible(z, mask)
    if subsample is not None and subsample < 2:
        raise ValueError(f"subsample must be at least 2, got {subsample}.")
    if z.shape[1] < 2:
        raise ValueError(f"z has {z.shape[1]} token(s); pairs need at least 2. Give longer sequences.")
    if not len(z):
        raise ValueError("z has 0 sequences. Give at least one.")
    z = z if z.dtype == torch.float64 else z.float()
    if mask is not None:
        mask = mask & (mask.sum(1, keepdim=True) > 1)  # one token has no pair
        if not mask.any():
            raise ValueError("The mask leaves no sequence two tokens. Give at least one text of two tokens.")
        z = z.where(mask[..., None], 0)
    return _drawn(z, mask, subsample, generator) if subsample and subsample < z.shape[1] else (z, mask)


def _drawn(z: Tensor, mask: Tensor | None, count: int, generator) -> tuple[Tensor, Tensor | None]:
    device = z.device if generator is None else generator.device
    score = torch.rand(z.shape[:2], generator=generator, device=device).to(z.device)
    positions = (score if mask is None else score.where(mask, -1)).topk(count, dim=1).indices
    return z.gather(1, positions[..., None].expand(-1, -1, z.shape[-1])), (
        None if mask is None else mask.gather(1, positions)
    )


def directions(
    z: Float[Tensor, "*tokens features"], eps: float, length: float | Tensor = 1.0
) -> Float[Tensor, "*tokens features"]:
    """length z / (norm + eps); no gradient goes to `length`. A zero vector stays zero, with a finite gradient."""
    return _Directions.apply(z, eps, length)


class _Directions(torch.autograd.Function):
    """The gradient is written out: autograd would make twice the passes over the tokens, and more copies."""

    @staticmethod
    def forward(ctx, z, eps, length):
        ctx.save_for_backward(z)
        ctx.eps, ctx.length = eps, length
        return z * (length / (torch.linalg.vector_norm(z, dim=-1, keepdim=True) + eps))

    @staticmethod
    def backward(ctx, upstream):
        """length / (norm + eps) (g - <g, z> z / (norm (norm + eps))): a function of z and g, so it has a derivative."""
        (z,) = ctx.saved_tensors
        norm = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
        scale = ctx.length / (norm + ctx.eps)
        radial = (upstream * z).sum(-1, keepdim=True) / norm.clamp_min(torch.finfo(z.dtype).tiny)
        return torch.addcmul(upstream * scale, z, radial * scale / (norm + ctx.eps), value=-1), None, None


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x with zeros for the tokens that take no part."""
    return x if mask is None else x.where(mask.view(*mask.shape, *[1] * (x.ndim - 2)), 0)


def counts(z: Tensor, mask: Tensor | None) -> Float[Tensor, "batch"]:
    """How many tokens of each sequence take part."""
    return z.new_full(z.shape[:1], z.shape[1]) if mask is None else mask.sum(1).to(z.dtype).clamp_min(1)


def warn_if_flat(pairs: Tensor, diagonal: Tensor, message: Callable[[], str]) -> None:
    """Warn where the sum over the pairs of no sequence is more than the rounding of the sum over its diagonal.

    Then the loss is a constant in this precision, and its gradient is 0 or as good as 0.
    """
    if torch.compiler.is_compiling():
        return
    if (pairs.detach() <= torch.finfo(pairs.dtype).eps * diagonal.detach()).all():
        warnings.warn(message(), UserWarning, stacklevel=2)


def mean_over_sequences(value: Callable, total: Tensor, z: Tensor, mask: Tensor | None) -> Float[Tensor, ""]:
    """Mean of value(total, N) over the sequences with two tokens or more."""
    n = counts(z, mask)
    if mask is None:
        return value(total, n).mean()
    whole = n > 1
    return value(total[whole], n[whole]).mean()
