"""Numbers rounded to few levels: round-to-nearest with a step for each row or group, and BitNet b1.58's ternary rule.

All sums and quotients are taken in float64, and the result is given in the dtype of the input.
"""

import torch
from jaxtyping import Float
from torch import Tensor

TERNARY = 1.58  # bits: log2(3), as it is usually written
LEAST, MOST = 2, 16  # whole bits


def rounded(
    weights: Float[Tensor, "outputs inputs"], bits: float, group: int | None = None
) -> Float[Tensor, "outputs inputs"]:
    """`ternary` at 1.58 bits, else `to_nearest`.

    Raises
        ValueError: as these.
    """
    check_bits(bits)
    return ternary(weights, group) if bits == TERNARY else to_nearest(weights, int(bits), group)


def to_nearest(x: Float[Tensor, "*rows n"], bits: int, group: int | None = None) -> Float[Tensor, "*rows n"]:
    """x' = s round(x / s) with s = max |x| / (2^(bits - 1) - 1), over each row or each `group` of consecutive numbers.

    Symmetric: 2^bits - 1 levels, 0 and both ends among them; at 2 bits they are -s, 0 and s. |x' - x| <= s / 2, and a
    row of zeros stays. Halves go to the even level. The rows of a weight matrix are its output channels, those of
    activations its tokens.

    Raises
        ValueError: bits outside 2 to 16, or no whole number; a group that does not divide a row.
    """
    check_bits(bits, least=LEAST)
    parts = _parts(x, group)
    step = parts.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)
    levels = torch.where(step > 0, parts / step, parts).round()
    return (levels * step).flatten(-2).to(x.dtype)


def ternary(weights: Float[Tensor, "*rows n"], group: int | None = None) -> Float[Tensor, "*rows n"]:
    """w' = s clip(round(w / s), -1, 1) with s the mean of |w| over the whole matrix, or over each group of a row.

    Source: "absmean" of BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764), without its epsilon; zeros stay.

    Raises
        ValueError: a group that does not divide a row.
    """
    parts = _parts(weights, group)
    step = parts.abs().mean() if group is None else parts.abs().mean(-1, keepdim=True)
    levels = torch.where(step > 0, parts / step, parts).round().clamp(-1, 1)
    return (levels * step).flatten(-2).to(weights.dtype)


def _parts(x: Tensor, group: int | None) -> Float[Tensor, "*rows parts size"]:
    check_group(group, x.shape[-1])
    return x.double().unflatten(-1, (-1, group or x.shape[-1]))


def check_bits(bits: float, least: float = TERNARY) -> None:
    """Refuse bits that no rounding here has.

    Raises
        ValueError: neither 1.58 (where `least` allows it) nor a whole number from 2 to 16.
    """
    whole = isinstance(bits, int | float) and not isinstance(bits, bool) and float(bits).is_integer()
    if not (bits == TERNARY == least or (whole and LEAST <= bits <= MOST)):
        also = f"{TERNARY} (ternary, weights only) or " if least == TERNARY else ""
        raise ValueError(f"bits must be {also}a whole number from {LEAST} to {MOST}, got {bits!r}.")


def check_group(group: int | None, width: int, where: str = "a row") -> None:
    """Refuse a group that does not divide a width.

    Raises
        ValueError: it does not, or is below 2.
    """
    if group is not None and (isinstance(group, bool) or group < 2 or width % group):
        fit = ", ".join(str(size) for size in range(2, width + 1) if width % size == 0 and size <= 256)
        cure = f"one of {fit}" if fit else "no group"
        raise ValueError(f"Groups of {group} do not divide the {width} inputs of {where}. Give {cure}.")
