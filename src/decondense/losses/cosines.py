"""Losses of the cosines of the pairs of a sequence, from language models, contrastive learning and sphere packing.

What all losses share: see the package. u_i = z_i / (norm + eps), and <u_i, u_j> is the cosine where the norm is large
against eps.
"""

import torch
from torch import Tensor

from .batch import Hidden, Mask, Scalar, check_options, directions, mean_over_sequences, prepare
from .documents import DocumentIds, by_document
from .pairs import Kernel, pair_sum
from .repulsion import EPS


@by_document
def cosine(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = EPS, n_squared: bool = False,
) -> Scalar:  # fmt: skip
    """mean_{i != j} cos(z_i, z_j), in O(N d): (||sum_i u_i||^2 - sum_i ||u_i||^2) / (N (N - 1)). Range [-1, 1].

    n_squared
        Divide the sum by N^2 and not by its N (N - 1) pairs, as Gao et al. do: (N - 1) / N of it. The diagonal is
        excluded in both.

    Its gradient is that of `dispersion` to first order (`order=1`) up to a factor. The squared length of the mean
    direction differs by the diagonal alone.

    Source: Gao et al. 2019 (CosReg), on the output embeddings of a vocabulary; here on the tokens of a sequence.
    """
    check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    u = directions(z, eps)
    total = u.sum(1).square().sum(-1) - u.square().sum((-2, -1))
    return mean_over_sequences(lambda s, n: s / (n * (n if n_squared else n - 1)), total, z, mask)


@by_document
def uniformity(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, t: float = 2.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """log mean_{i != j} exp(-t ||u_i - u_j||^2), the squared distance on the sphere being 2 - 2 cos. Range [-4 t, 0].

    The diagonal is excluded.

    Source: Wang & Isola 2020, on the examples of a batch; here on the tokens of a sequence.
    """
    check_options(t=t, eps=eps)

    def kernel(c: Tensor) -> tuple[Tensor, Tensor]:
        value = c.sub_(1).mul_(2 * t).exp_()
        return value, value * (2 * t)

    total, z, mask = _over_pairs(z, mask, subsample, generator, eps, kernel)
    return mean_over_sequences(lambda s, n: (s / (n * (n - 1))).log(), total, z, mask)


@by_document
def hyperspherical_energy(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, power: float = 1.0, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """mean_{i != j} (2 - 2 cos(z_i, z_j) + eps)^(-power / 2): the energy of equal charges on a sphere.

    2 - 2 cos is the squared distance on the sphere, and `eps` makes it finite at duplicates. Range
    [(4 + eps)^(-power / 2), eps^(-power / 2)]. The diagonal is excluded.

    Source: Liu et al. 2018 (minimum hyperspherical energy), on the weights of a layer; here on tokens.
    """
    check_options(power=power, eps=eps)

    def kernel(c: Tensor) -> tuple[Tensor, Tensor]:
        inverse = c.mul_(-2).add_(2).clamp_min_(0).add_(eps).reciprocal_()
        value = inverse.pow(power / 2)
        return value, inverse.mul_(value).mul_(power)

    total, z, mask = _over_pairs(z, mask, subsample, generator, eps, kernel)
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


@by_document
def simctg(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, margin: float = 0.5, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """mean_{i != j} max(0, margin - 1 + cos(z_i, z_j)): pushes pairs whose cosine is above 1 - margin, others not.

    Range [0, margin]. The diagonal is excluded.

    Source: Su et al. 2022 (SimCTG), whose cos(z_i, z_i) is 1.
    """
    check_options(margin=margin, eps=eps)

    def kernel(c: Tensor) -> tuple[Tensor, Tensor]:
        over = c.add_(margin - 1).clamp_min_(0)
        return over, (over > 0).to(over.dtype)

    total, z, mask = _over_pairs(z, mask, subsample, generator, eps, kernel)
    return mean_over_sequences(lambda s, n: s / (n * (n - 1)), total, z, mask)


@by_document
def koleo(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """-mean_i log(min_{j != i} ||u_i - u_j|| + eps): each token is pushed from its nearest neighbour alone.

    The entropy of the directions as Kozachenko and Leonenko estimate it, up to scale and a constant. Range
    [-log(2 + eps), -log eps]. Finite at duplicates, which are not pushed: they have no direction from one another.

    Source: Sablayrolles et al. 2019; DINOv2 (Oquab et al. 2023), with eps 1e-8.
    """
    check_options(eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    u = directions(z, eps)
    nearest = u.gather(1, _nearest(u.detach(), mask)[..., None].expand_as(u))
    logs = -(torch.linalg.vector_norm(u - nearest, dim=-1) + eps).log()
    total = (logs if mask is None else logs.where(mask, 0)).sum(-1)
    return mean_over_sequences(lambda s, n: s / n, total, z, mask)


def _over_pairs(z, mask, subsample, generator, eps: float, kernel: Kernel) -> tuple[Tensor, Tensor, Tensor | None]:
    z, mask = prepare(z, mask, subsample, generator)
    return pair_sum(directions(z, eps), kernel, mask=mask), z, mask


def _nearest(u: Tensor, mask: Tensor | None, block: int = 512) -> Tensor:
    """For each token the place of the one with the largest inner product, in blocks of rows."""
    found = []
    for a in range(0, u.shape[1], block):
        inner = u[:, a : a + block] @ u.mT
        inner.diagonal(offset=a, dim1=-2, dim2=-1).fill_(-torch.inf)
        if mask is not None:
            inner.masked_fill_(~mask[:, None], -torch.inf)
        found.append(inner.argmax(-1))
    return torch.cat(found, 1)
