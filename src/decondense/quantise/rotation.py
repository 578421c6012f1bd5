"""Random Hadamard rotations: they spread an outlier over all numbers of a row, and change no product of two rows."""

from functools import lru_cache

import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor


def rotated(x: Float[Tensor, "*rows n"], seed: int = 0) -> Float[Tensor, "*rows n"]:
    """x D H: random signs D, then the Walsh-Hadamard matrix H / sqrt(p) in blocks of the largest power of two p in n.

    D H is orthogonal, so (w D H) . (x D H) = w . x: a linear layer whose weights and inputs are both rotated gives what
    it gave. The same n and seed have the same signs. Computed in float32 at least, given in the dtype of x.

    Raises
        ValueError: n is odd, so that there is no block to rotate.

    Source: the random Hadamard transform of QuIP# (Tseng et al. 2024, arXiv 2402.04396) and QuaRot (Ashkboos et al.
    2024, arXiv 2404.00456), here beside every linear layer while it runs and not merged into the weights.
    """
    n = x.shape[-1]
    check_width(n)
    wide = x if x.dtype == torch.float64 else x.float()
    signs, matrix = _signs(n, seed).to(wide), _hadamard(n & -n).to(wide)
    return ((wide * signs).unflatten(-1, (-1, len(matrix))) @ matrix).flatten(-2).to(x.dtype)


def check_width(n: int, where: str = "a row") -> None:
    """Refuse a width without a power of two.

    Raises
        ValueError: it is odd.
    """
    if n % 2:
        raise ValueError(
            f"The {n} inputs of {where} are an odd number: no Hadamard block divides them. Leave out the rotation."
        )


@lru_cache(maxsize=32)
def _hadamard(p: int) -> Float[Tensor, "p p"]:
    return torch.tensor(scipy.linalg.hadamard(p, dtype=float)) / p**0.5


@lru_cache(maxsize=32)
def _signs(n: int, seed: int) -> Float[Tensor, "n"]:
    return 2.0 * torch.randint(2, (n,), generator=torch.Generator().manual_seed(seed)).double() - 1
