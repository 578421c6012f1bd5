"""Losses of eigenvalues: in how many directions tokens spread. What all losses share: see the package."""

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import Hidden, Mask, Scalar, check_options, counts, directions, mean_over_sequences, prepare
from .documents import DocumentIds, by_document
from .expansion import gram_of
from .pooled import pooled
from .repulsion import EPS


def isoscore(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, isotropic: bool = True, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """1 - IsoScore, of the covariance C of the tokens of the batch at length sqrt(d) (`losses.pooled`). Range [0, 1].

    IsoScore's defect, share of dimensions and scale come to (P - 1) / (d - 1), with the participation ratio of the
    eigenvalues, P = trace(C)^2 / ||C||_F^2: so it takes no eigenvalues, in O(N d min(N, d)).

    isotropic
        `False` is IsoScore itself, for which less isotropy is better, as Rudman & Eickhoff found in fine-tuning.

    Source: Rudman et al. 2022 (IsoScore); Rudman & Eickhoff 2024 (I-STAR), whose shrinkage to the covariance of more
    tokens is left out: a batch of sequences has many.
    """
    check_options(eps=eps)
    x = pooled(z, mask, document_ids, subsample, generator, eps)
    centred = x - x.mean(0)
    with torch.autocast(x.device.type, enabled=False):
        (gram,) = gram_of(centred[None])
        squares = gram.square().sum().clamp_min(torch.finfo(x.dtype).tiny)
        ratio = (gram.trace().square() / squares).clamp_min(1)  # 1 where the tokens coincide
    score = (ratio - 1) / max(x.shape[1] - 1, 1)
    return 1 - score if isotropic else score


@by_document
def log_det(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, distortion: float = 0.5, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """-log det(I + d / (N distortion^2) U^T U) / (2 d): minus the nats that a token's direction takes, per dimension.

    The coding rate of the tokens of a sequence: how many bits tell their directions up to the distortion. Not centred,
    so a shared direction costs rate. Range [-log(1 + 1 / distortion^2) / 2, 0]. Of the smaller Gram matrix, one
    Cholesky factor: O(N d min(N, d)).

    Source: Ma et al. 2007; Yu et al. 2020 (maximal coding rate reduction), its expansion term.
    """
    check_options(distortion=distortion, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    d = z.shape[-1]
    with torch.autocast(z.device.type, enabled=False):
        length = (d / distortion**2 / counts(z, mask)).sqrt()
        gram = gram_of(directions(z, eps, length[:, None, None]))
        gram.diagonal(dim1=-2, dim2=-1).add_(1)
        rate = _LogDet.apply(gram)
    return mean_over_sequences(lambda rate, n: -rate / (2 * d), rate, z, mask)


class _LogDet(torch.autograd.Function):
    """log det of positive definite matrices. Its gradient is the inverse; autograd would solve several systems."""

    @staticmethod
    def forward(ctx, matrix: Float[Tensor, "batch n n"]) -> Float[Tensor, "batch"]:
        factor = torch.linalg.cholesky_ex(matrix)[0]  # NaN must stay NaN, and not end in an error
        ctx.save_for_backward(matrix, factor)
        return 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    @staticmethod
    def backward(ctx, upstream):
        matrix, factor = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: what was kept does not know how it depends on the matrix
            factor = torch.linalg.cholesky_ex(matrix)[0]
        return torch.cholesky_inverse(factor) * upstream[:, None, None]


@by_document
def rank_floor(
    z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, floor: float = 0.9, eps: float = EPS,
) -> Scalar:  # fmt: skip
    """max(0, floor - H / log min(N, d)), H the entropy of the eigenvalues of U^T U over their sum. Range [0, floor].

    exp(H) is the effective rank of the directions of a sequence. Not centred, so that a shared direction is one large
    eigenvalue. Nothing is pushed where the rank is above min(N, d)^floor. Takes the eigenvalues of the smaller Gram
    matrix, several times the cost of the matrix itself.

    Source: Roy & Vetterli 2007 for the effective rank; the floor is this library's.
    """
    check_options(floor=floor, eps=eps)
    z, mask = prepare(z, mask, subsample, generator)
    with torch.autocast(z.device.type, enabled=False):
        gram = gram_of(directions(z, eps))
        whole = gram.isfinite().all(-1).all(-1)  # NaN must stay NaN, and not end in an error of the eigenvalues
        values = torch.linalg.eigvalsh(gram.where(whole[:, None, None], 0)).clamp_min(0)
    tiny = torch.finfo(z.dtype).eps  # so that the slope of the logarithm stays finite where there is no spectrum
    shares = values / values.sum(-1, keepdim=True).clamp_min(tiny)
    entropy = -(shares * shares.clamp_min(tiny).log()).sum(-1).where(whole, torch.nan)
    most = counts(z, mask).clamp(2, max(z.shape[-1], 2)).log()
    return mean_over_sequences(lambda h, n: (floor - h).clamp_min(0), entropy / most, z, mask)
