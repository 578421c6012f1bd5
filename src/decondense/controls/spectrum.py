"""How many dimensions the tokens of one text use: participation ratio, intrinsic dimension. Not O(N d)."""

import torch
from jaxtyping import Float
from torch import Tensor

from .. import metrics


def participation_ratio(z: Float[Tensor, "tokens features"], centred: bool = True) -> float:
    """(sum_k lambda_k)^2 / sum_k lambda_k^2 of the eigenvalues of the covariance, or of z^T z / N if not `centred`.

    Range [1, min(N, d)]: 1 where all variance lies on one line. One massive token makes it 1, since lambda goes with
    the square of the norm. Traces give it without eigenvalues, in float64, O(N^2 d). NaN where a vector is not finite,
    or all variance is 0.
    """
    z = z.detach().cpu().double()
    z = z - z.mean(0) if centred else z
    z = z / z.abs().max()  # squares of squares of large states would overflow
    gram = z @ z.T if len(z) <= z.shape[1] else z.T @ z
    return float(gram.trace().square() / gram.square().sum())


def two_nn(z: Float[Tensor, "tokens features"]) -> float:
    """Intrinsic dimension by the two nearest neighbours: N / sum_i ln(r_2i / r_1i), maximum likelihood.

    r_1 and r_2 are the distances of a token to its nearest and second nearest other one. Range above 0. Equal vectors
    count once, since their r_1 is 0. In float64, O(N^2 d). NaN below three different vectors, or where one is not
    finite; infinite where all r_1 = r_2.

    Source: Facco et al. 2017 (TwoNN).
    """
    z = z.detach().cpu().double()
    if not z.isfinite().all() or len(z := z.unique(dim=0)) < 3:
        return float("nan")
    distances = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    nearest = distances.topk(2, largest=False).values
    return float(len(z) / (nearest[:, 1] / nearest[:, 0]).log().sum())


def of_text(z: Float[Tensor, "tokens features"], eps: float) -> list[float]:
    """In the order of `quantities.SPECTRUM`: with and without token 0."""
    return [number for kept in (z, z[1:]) for number in _numbers(kept, eps)]


def _numbers(z: Float[Tensor, "tokens features"], eps: float) -> list[float]:
    z = z.cpu().double()
    ranks = [metrics.effective_rank(each, eps) for each in (z, z - z.mean(0))]
    return [*ranks, participation_ratio(z, centred=False), participation_ratio(z), two_nn(z)]
