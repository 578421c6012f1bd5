"""SIGReg: the tokens of a batch against a normal distribution, on random lines. What all losses share: the package."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import Hidden, Mask, Scalar, check_options
from .documents import DocumentIds
from .pooled import pooled
from .repulsion import EPS

KNOTS, WIDTH = 17, 3.0  # of the integral over [-WIDTH, WIDTH]; its weight has fallen to 1 % there
LEAST_TOKENS = 16  # of fewer, the distribution of the values on a line is chance


def sigreg(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, slices: int = 256, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """How far the tokens lie from N(0, 1) on random lines: the mean of the Epps-Pulley distance over `slices` lines.

    With s_n the inner products of the N tokens with a random direction,

        integral of |mean_n exp(i t s_n) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt  over |t| <= 3,

    by the trapezoidal rule on 17 knots of [0, 3]. Range [0, 10]. N times it is the statistic of the test. The lines are
    drawn anew at each call, by `generator`. The tokens are those of the whole batch, each at length sqrt(d)
    (`losses.pooled`): directions spread evenly have inner products that are normal up to 1 / d, and a shared direction
    moves their mean.

    Raises
        ValueError: fewer than 16 tokens; no slice; and as all losses.

    Source: Balestriero & LeCun 2025 (LeJEPA); Epps & Pulley 1983. The scale, and the value per token, are this
    library's.
    """
    check_options(eps=eps)
    if slices < 1:
        raise ValueError(f"slices must be 1 or more, got {slices}.")
    x = pooled(z, mask, document_ids, subsample, generator, eps)
    if len(x) < LEAST_TOKENS:
        raise ValueError(
            f"sigreg compares a distribution, for which {len(x)} tokens are too few: give {LEAST_TOKENS} or more in a "
            "batch (longer texts, a larger subsample)."
        )
    device = x.device if generator is None else generator.device
    lines = torch.randn(x.shape[1], slices, generator=generator, device=device, dtype=x.dtype).to(x.device)
    with torch.autocast(x.device.type, enabled=False):
        s = x @ (lines / torch.linalg.vector_norm(lines, dim=0))
        return _EppsPulley.apply(s).mean()


class _EppsPulley(torch.autograd.Function):
    """The distance of each column from N(0, 1). The knots are multiples of one, so powers of one exponential serve all.

    Through autograd every knot would keep a cosine and a sine of all values.
    """

    @staticmethod
    def forward(ctx, s: Float[Tensor, "tokens slices"]) -> Float[Tensor, "slices"]:
        step = WIDTH / (KNOTS - 1)
        first = torch.polar(torch.ones_like(s), step * s)
        power, means = first.clone(), []
        for knot in range(1, KNOTS):
            means.append(power.mean(0))
            if knot < KNOTS - 1:
                power.mul_(first)
        t = step * torch.arange(1, KNOTS, dtype=s.dtype, device=s.device)
        normal = (-t.square() / 2).exp()
        weight = 2 * step * normal  # both halves of the integral; at 0 the difference is 0
        weight[-1] /= 2
        apart = torch.stack(means) - normal[:, None]
        ctx.save_for_backward(first, apart, weight, t)
        return (weight[:, None] * (apart.real.square() + apart.imag.square())).sum(0)

    @staticmethod
    def backward(ctx, upstream):
        """-2 / N Im sum_k w_k t_k conj(apart_k) e^(i t_k s): a polynomial in e^(i step s), by Horner's rule."""
        if torch.is_grad_enabled():  # create_graph=True: what was kept does not know how it depends on s
            raise RuntimeError("sigreg has no second derivative. Differentiate without create_graph.")
        first, apart, weight, t = ctx.saved_tensors
        factors = (weight * t)[:, None] * apart.conj() * (-2 / len(first) * upstream)
        total = factors[-1].expand_as(first).contiguous()
        for factor in reversed(factors[:-1]):
            total.mul_(first).add_(factor)
        return total.mul_(first).imag


def expected_of_normal(tokens: int) -> float:
    """The mean of the distance where the values are normal: the rounding by chance of an N that is finite.

    E|mean - phi|^2 = (1 - phi^2) / N at each knot, phi = exp(-t^2 / 2).
    """
    step = WIDTH / (KNOTS - 1)
    knots = [step * k for k in range(1, KNOTS)]
    weight = [2 * step * math.exp(-(t**2) / 2) * (0.5 if k == KNOTS - 2 else 1) for k, t in enumerate(knots)]
    return sum(w * (1 - math.exp(-(t**2))) for w, t in zip(weight, knots, strict=True)) / tokens
