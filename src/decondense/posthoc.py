"""Post-hoc cures of a cone: affine maps that are fitted on some vectors and applied to others, without training.

cure = all_but_the_top(fitted_on, k=3)
better = cure(others)
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Cure(NamedTuple):
    """The map z -> (z - mean) matrix; without a matrix, z -> z - mean. Both parts are in float64.

    Called with vectors, it gives those mapped, with their dtype and on their device; half precision comes back as
    float32.
    """

    mean: Float[Tensor, "features"]
    matrix: Float[Tensor, "features features"] | None = None

    def __call__(self, z: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        mapped = z.double() - self.mean.to(z.device)
        if self.matrix is not None:
            mapped = mapped @ self.matrix.to(z.device)
        return mapped.to(z.dtype if z.dtype == torch.float64 else torch.float32)


def centre(z: Float[Tensor, "vectors features"]) -> Cure:
    """Remove the mean vector: z -> z - 1/N sum_i z_i.

    Of the raw vectors, not of their directions: a few that are much longer than the others rule it. Leave them out of
    `z` (a language model's first token; Sun et al. 2024).

    Raises
        ValueError: fewer than two vectors, or one that is not finite.
    """
    return Cure(_checked(z, least=2, cure="Give two or more").mean(0))


def all_but_the_top(z: Float[Tensor, "vectors features"], k: int) -> Cure:
    """Remove the mean and then the `k` leading principal directions v_1, ..., v_k of what is left:

        z -> (z - m) (I - sum_j v_j v_j^T),   m = 1/N sum_i z_i

    with v_j the eigenvectors of the covariance of `z` that have the largest eigenvalues. Mu & Viswanath take k near
    features / 100. In float64, O(N d^2 + d^3).

    Source: Mu & Viswanath 2018 (all-but-the-top).

    Raises
        ValueError: k below 1 or above features - 1, where nothing is left; k + 1 vectors or fewer, of which all would
            be mapped to 0; a vector that is not finite.
    """
    if not 1 <= k < z.shape[-1]:
        raise ValueError(f"k must be from 1 to features - 1 = {z.shape[-1] - 1}, got {k}. Use `centre` to remove none.")
    z = _checked(z, least=k + 2, cure=f"Give {k + 2} or more, or a smaller k")
    mean, _, directions = _principal(z)
    top = directions[:, -k:]
    return Cure(mean, torch.eye(len(mean), dtype=top.dtype, device=top.device) - top @ top.T)


def whiten(z: Float[Tensor, "vectors features"], shrinkage: float = 0.0) -> Cure:
    """ZCA whitening: remove the mean, then give every direction the variance 1 and none a correlation:

        z -> (z - m) C_a^(-1/2),   C_a = (1 - a) C + a tr(C) / d I

    with C the covariance (divided by N) of `z`, a = `shrinkage` in [0, 1), and the symmetric C_a^(-1/2), so that of all
    whitened vectors these lie closest to the centred ones. With a = 0 the whitened `z` have the covariance I. What is
    whitened by a fit on few vectors is so only in part: give several times as many as features. In float64,
    O(N d^2 + d^3).

    Source: Kessy et al. 2018 (ZCA); Su et al. 2021, Huang et al. 2021 (whitening of embeddings).

    Raises
        ValueError: a covariance without full rank (as many vectors as features, or fewer; a feature that is constant)
            and no shrinkage; shrinkage outside [0, 1); fewer than two vectors; one that is not finite; all equal.
    """
    if not 0 <= shrinkage < 1:
        raise ValueError(f"shrinkage must be in [0, 1), got {shrinkage}.")
    least = 2 if shrinkage else z.shape[-1] + 1
    z = _checked(z, least=least, cure="Give more vectors than features, or shrinkage=0.01")
    mean, variances, directions = _principal(z)
    shrunk = (1 - shrinkage) * variances.clamp_min(0) + shrinkage * variances.mean()
    if not shrunk[-1] > 0:
        raise ValueError("All vectors are equal, and what has no variance cannot be whitened. Give other data.")
    if shrunk[0] <= 1e-12 * shrunk[-1]:
        raise ValueError("Some direction has no variance, so it cannot be given 1. Give shrinkage=0.01, or other data.")
    return Cure(mean, directions * shrunk.rsqrt() @ directions.T)


def _checked(z: Tensor, least: int, cure: str) -> Float[Tensor, "vectors features"]:
    """The vectors in float64; refused where they are too few, or not finite."""
    if z.ndim != 2 or len(z) < least:
        raise ValueError(f"The fit needs {least} vectors or more as rows, got the shape {tuple(z.shape)}. {cure}.")
    if not z.isfinite().all():
        raise ValueError("A vector to fit on is not finite. Compute the vectors in float32, or leave it out.")
    return z.detach().double()


def _principal(z: Float[Tensor, "vectors features"]):
    """Mean, variances along the principal directions from the smallest to the largest, and these as columns."""
    mean = z.mean(0)
    centred = z - mean
    return mean, *torch.linalg.eigh(centred.T @ centred / len(z))
