"""SIGReg: the tokens of a batch against a normal distribution, on random lines. What all losses share: the package."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .batch import Hidden, Mask, Scalar, check_options
from .documents import DocumentIds
from .pooled import gathered
from .repulsion import EPS

KNOTS, WIDTH = 17, 3.0  # of the integral over [-WIDTH, WIDTH]; its weight has fallen to 1 % there
STEP = WIDTH / (KNOTS - 1)
BLOCK = 256  # tokens whose powers are made at a time: they stay in the processor's cache
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
    x, _ = gathered(z, mask, document_ids, subsample, generator)
    if len(x) < LEAST_TOKENS:
        raise ValueError(
            f"sigreg compares a distribution, for which {len(x)} tokens are too few: give {LEAST_TOKENS} or more in a "
            "batch (longer texts, a larger subsample)."
        )
    device = x.device if generator is None else generator.device
    lines = torch.randn(x.shape[1], slices, generator=generator, device=device, dtype=x.dtype).to(x.device)
    with torch.autocast(x.device.type, enabled=False):
        s = _OnLines.apply(x, lines.div_(torch.linalg.vector_norm(lines, dim=0)), eps)
        return _EppsPulley.apply(s).mean()


class _OnLines(torch.autograd.Function):
    """Inner products of the tokens at length sqrt(d) with the lines. Tokens at that length are not written out."""

    @staticmethod
    def forward(
        ctx, x: Float[Tensor, "tokens features"], lines: Float[Tensor, "features slices"], eps: float
    ) -> Float[Tensor, "tokens slices"]:
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        scale = x.shape[1] ** 0.5 / (norm + eps)
        s = (x @ lines).mul_(scale)
        ctx.save_for_backward(x, lines, s, norm, scale)
        ctx.eps = eps
        return s

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        """scale g L^T, less along each token what would only make it longer."""
        x, lines, s, norm, scale = ctx.saved_tensors
        radial = (upstream * s).sum(1, keepdim=True) / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        with torch.autocast(x.device.type, enabled=False):
            found = (upstream * scale) @ lines.T
        return found.addcmul_(x, radial / (norm + ctx.eps), value=-1), None, None


class _EppsPulley(torch.autograd.Function):
    """The distance of each column from N(0, 1). The knots are multiples of one, so powers of one exponential serve all.

    Through autograd every knot would keep a cosine and a sine of all values.
    """

    @staticmethod
    def forward(ctx, s: Float[Tensor, "tokens slices"]) -> Float[Tensor, "slices"]:
        totals = s.new_zeros(KNOTS - 1, s.shape[1], dtype=s.dtype.to_complex())
        for rows in s.split(BLOCK):
            first = _turned(rows)
            power = first.clone()
            for total in totals:
                total += power.sum(0)
                power.mul_(first)
        t = STEP * torch.arange(1, KNOTS, dtype=s.dtype, device=s.device)
        normal = (-t.square() / 2).exp()
        weight = 2 * STEP * normal  # both halves of the integral; at 0 the difference is 0
        weight[-1] /= 2
        apart = totals / len(s) - normal[:, None]
        ctx.save_for_backward(s, apart, weight, t)
        return (weight[:, None] * (apart.real.square() + apart.imag.square())).sum(0)

    @staticmethod
    def backward(ctx, upstream):
        """-2 / N Im sum_k w_k t_k conj(apart_k) e^(i t_k s): a polynomial in e^(i step s), by Horner's rule."""
        if torch.is_grad_enabled():  # create_graph=True: what was kept does not know how it depends on s
            raise RuntimeError("sigreg has no second derivative. Differentiate without create_graph.")
        s, apart, weight, t = ctx.saved_tensors
        factors = (weight * t)[:, None] * apart.conj() * (-2 / len(s) * upstream)
        found = torch.empty_like(s)
        for rows, of_rows in zip(s.split(BLOCK), found.split(BLOCK), strict=True):
            first = _turned(rows)
            total = first * factors[-1]
            for factor in reversed(factors[:-1]):
                total.add_(factor).mul_(first)
            of_rows.copy_(total.imag)
        return found


def _turned(s: Tensor) -> Tensor:
    """e^(i step s). `torch.polar` takes several times as long."""
    angle = STEP * s
    return torch.complex(angle.cos(), angle.sin())


def expected_of_normal(tokens: int) -> float:
    """The mean of the distance where the values are normal: the rounding by chance of an N that is finite.

    E|mean - phi|^2 = (1 - phi^2) / N at each knot, phi = exp(-t^2 / 2).
    """
    knots = [STEP * k for k in range(1, KNOTS)]
    weight = [2 * STEP * math.exp(-(t**2) / 2) * (0.5 if k == KNOTS - 2 else 1) for k, t in enumerate(knots)]
    return sum(w * (1 - math.exp(-(t**2))) for w, t in zip(weight, knots, strict=True)) / tokens
