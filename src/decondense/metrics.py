"""Pure functions on one sequence of embeddings: mean cosine, cosine histogram, trend over depth, cone coordinates."""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata
from torch import Tensor

PAPER_EPS = 1e-3  # the official code divides by max(norm, 1e-3)
BINS = 128  # bins over [-1, 1] in the paper's heat maps
# The smallest difference of mu that is not rounding, by the dtype of the forward pass. Largest change of a text's mu at
# any entry, on a CPU (SmolLM2-135M, Qwen2.5-Coder-0.5B, two pocket models, untrained GPT-2): of a text alone or in
# a padded batch 1.2e-7 in float32, 6e-5 in float16, 3e-4 in bfloat16; from float32 2.5e-4 and 3.0e-3. An earlier trial
# of bfloat16 found 2e-3 and 9e-3; its bound is taken.
RESOLUTION = {"float64": 1e-6, "float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}


class MeanCosine(NamedTuple):
    """The mean cosine of one sequence, over two sets of pairs."""

    all_pairs: Float[Tensor, "*batch"]  # all N^2 ordered pairs, diagonal included: the paper's mu
    off_diagonal: Float[Tensor, "*batch"]  # the N(N-1) pairs of two different tokens


def without_autocast(function: Callable) -> Callable:
    """The function with autocast off on the device of its tensors: it would round cosines to 16 bits."""

    @wraps(function)
    def run(*args, **kwargs):
        device = next(a.device.type for a in (*args, *kwargs.values()) if isinstance(a, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return run


def unit_rows(z: Float[Tensor, "*batch tokens features"], eps: float = PAPER_EPS):
    """Each token divided by max(its Euclidean norm, eps), in float32 at least.

    A vector shorter than `eps` stays shorter than 1 and a zero vector stays zero, as in the official code.
    """
    z = z if z.dtype == torch.float64 else z.float()
    return z / torch.linalg.vector_norm(z, dim=-1, keepdim=True).clamp_min(eps)


@without_autocast
def mean_cosine(z: Float[Tensor, "*batch tokens features"], eps: float = PAPER_EPS) -> MeanCosine:
    """Mean cosine similarity of the tokens of a sequence, in O(N d): no N x N matrix is made.

    With unit vectors u_i the sum over all ordered pairs of <u_i, u_j> is ||sum_i u_i||^2, so

        all_pairs    = ||sum_i u_i||^2 / N^2                                (mu of the paper, Section 3)
        off_diagonal = (||sum_i u_i||^2 - sum_i ||u_i||^2) / (N (N - 1))

    Range: all_pairs in [0, 1], off_diagonal in [-1/(N-1), 1]. A zero vector has cosine 0 to everything, itself
    included. Padding must be cut off before; every row given takes part.

    Raises
        ValueError: fewer than two tokens, for which a cosine between tokens does not exist.
    """
    n = z.shape[-2]
    if n < 2:
        raise ValueError(f"A mean cosine needs at least 2 tokens, got {n}. Give a longer text.")
    z = z if z.dtype == torch.float64 else z.float()
    exact = torch.float32 if z.device.type == "mps" else torch.float64  # MPS has no float64
    norm = torch.linalg.vector_norm(z, dim=-1)
    scale = 1 / norm.clamp_min(eps)
    total = (scale[..., None, :] @ z)[..., 0, :].to(exact).square().sum(-1)  # the directions are not written out
    diagonal = (norm * scale).to(exact).square().sum(-1)
    return MeanCosine(total / n**2, (total - diagonal) / (n * (n - 1)))


@without_autocast
def cosine_to_mean(z: Float[Tensor, "tokens features"], eps: float = PAPER_EPS) -> Float[Tensor, "tokens"]:
    """Cosine of each token to the mean direction of its text: how far in the cone it lies, range [-1, 1].

    With unit vectors u_i and their mean m = 1/N sum_j u_j,

        c_i = <u_i, m> / ||m||,   so that   1/N sum_i c_i = ||m|| = sqrt(mu)

    with mu as in `mean_cosine`. The token itself is part of the mean. A zero vector has 0, and so has every token
    where the mean is zero.
    """
    u = unit_rows(z, eps)
    return u @ torch.nn.functional.normalize(u.mean(0), dim=0)


@without_autocast
def cosine_histogram(
    z: Float[Tensor, "tokens features"], bins: int = BINS, eps: float = PAPER_EPS, block: int = 128
) -> Int[Tensor, "bins"]:
    """Counts of the cosines of all N^2 ordered pairs (diagonal included) in `bins` equal bins over [-1, 1].

    Works on `block` rows at a time and on one triangle only (the matrix is symmetric), so memory is O(block N).
    The counts sum to N^2. As in `numpy.histogram` the last bin includes its right edge.
    """
    u = unit_rows(z, eps)
    counts = torch.zeros(bins, dtype=torch.int64, device=u.device)
    for start in range(0, len(u), block):
        rows = u[start : start + block]
        counts += matrix_histogram(rows @ rows.T, bins)
        rest = u[start + block :]
        if len(rest):
            counts += 2 * matrix_histogram(rows @ rest.T, bins)
    return counts


def matrix_histogram(cosines: Float[Tensor, "rows columns"], bins: int = BINS) -> Int[Tensor, "bins"]:
    """Counts of the entries of a matrix of cosines in `bins` equal bins over [-1, 1]."""
    # bincount of the bin number is several times faster than torch.histc; rounding can put a cosine just outside
    # [-1, 1], and 1 itself belongs to the last bin, hence the clamp.
    number = ((cosines + 1) * (bins / 2)).to(torch.int32).clamp_(0, bins - 1)
    return torch.bincount(number.flatten(), minlength=bins)


@without_autocast
def add_cosines(
    total: Float[Tensor, "tokens tokens"], z: Float[Tensor, "tokens features"], eps: float = PAPER_EPS, block: int = 128
) -> None:
    """Add the cosines of all pairs i <= j to `total`, in place; what it holds below the diagonal has no meaning."""
    u = unit_rows(z, eps)
    for start in range(0, len(u), block):
        total[start : start + block, start:].addmm_(u[start : start + block], u[start:].T)


def resolution(dtype: str) -> float:
    """The smallest difference of mu that counts after a forward pass in `dtype`: that of `RESOLUTION`.

    Of a type that is not in it (float8, ...) the coarsest: what it really is was not measured, and may be more.
    """
    return RESOLUTION.get(dtype, max(RESOLUTION.values()))


def spearman(mu: Float[np.ndarray, "*batch entries"], resolution: float = 0.0) -> Float[np.ndarray, "*batch"]:
    """Spearman's rho between `mu` and its index along the last axis: does the level rise with depth?

    rho = Pearson correlation of the ranks (ties get their mean rank). Range [-1, 1]; NaN where `mu` is constant, or
    varies by no more than `resolution`, so that its order would be that of rounding errors; NaN where it has a NaN.
    Equals `scipy.stats.spearmanr`; written out because the bootstrap needs thousands at once.
    Source: Fig. 2b, 3b, 4, 5b of the paper.
    """
    mu = np.asarray(mu, dtype=float)
    ranks = rankdata(mu, axis=-1) - (mu.shape[-1] + 1) / 2
    depth = np.arange(mu.shape[-1]) - (mu.shape[-1] - 1) / 2
    spread = np.sqrt((ranks**2).sum(-1) * (depth**2).sum())
    trend = (spread > 0) & (np.ptp(mu, axis=-1) > resolution)
    return np.divide(ranks @ depth, spread, out=np.full(mu.shape[:-1], np.nan), where=trend)


def kendall(mu: Float[np.ndarray, "*batch entries"], resolution: float = 0.0) -> Float[np.ndarray, "*batch"]:
    """Kendall's tau-b between `mu` and its index along the last axis.

    tau_b = (C - D) / sqrt((P - T) P) with C and D the concordant and discordant pairs of entries, P = L (L + 1) / 2
    all pairs of the L + 1 entries and T those tied in mu. Range [-1, 1]; NaN where `mu` is constant, varies
    by no more than `resolution`, or has a NaN. Equals `scipy.stats.kendalltau`. Source: as `spearman`.
    """
    mu = np.asarray(mu, dtype=float)
    earlier, later = np.triu_indices(mu.shape[-1], k=1)
    signs = np.sign(mu[..., later] - mu[..., earlier])
    scale = np.sqrt((signs != 0).sum(-1) * float(len(earlier)))
    trend = (scale > 0) & (np.ptp(mu, axis=-1) > resolution)  # a NaN makes it false
    return np.divide(signs.sum(-1), scale, out=np.full(mu.shape[:-1], np.nan), where=trend)


def mean_of_last(mu: Float[np.ndarray, "*batch entries"], entries: int | None) -> Float[np.ndarray, "*batch"]:
    """Mean of `mu` over its last `entries` entries, or with `None` over the last half ((L + 1) // 2 entries).

    The simple alternative to a rank correlation. Source: Fig. S3 of the paper (1 to 5 entries, and the last half).
    """
    mu = np.asarray(mu, dtype=float)
    return np.asarray(mu[..., -(entries or mu.shape[-1] // 2) :].mean(-1))


def histogram_std(density: Float[np.ndarray, "entries bins"]) -> Float[np.ndarray, "entries"]:
    """Standard deviation, in units of cosine, of histograms over [-1, 1], one per row as in `Condensation`."""
    centres = (np.arange(density.shape[-1]) + 0.5) / density.shape[-1] * 2 - 1
    weights = density / density.sum(-1, keepdims=True)
    mean = weights @ centres
    return np.sqrt(np.maximum(weights @ centres**2 - mean**2, 0))


def effective_rank(z: Float[Tensor, "tokens features"], eps: float = PAPER_EPS) -> float:
    """How many directions the tokens use: exp(-sum_k p_k ln p_k) with p_k = s_k / sum_j s_j.

    The s_k are the singular values of the matrix of the unit vectors z_i / max(||z_i||, eps), not centred, so that it
    looks at what the mean cosine looks at. Range [1, min(N, d)]: 1 where all tokens share one direction (mean cosine
    1), N where they are orthogonal; NaN where a vector is not finite, or all are zero. In float64, O(N^2 d + N^3).

    Source: Roy & Vetterli 2007 (effective rank).
    """
    u = unit_rows(z.detach().cpu().double(), eps)
    if not u.isfinite().all():
        return float("nan")
    gram = u @ u.T if len(u) <= u.shape[1] else u.T @ u
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    p = values / values.sum()
    return float(torch.special.entr(p).sum().exp())


def cone_coordinates(z: Float[Tensor, "tokens features"]) -> Float[Tensor, "tokens 3"]:
    """Points on the unit sphere in R^3 that show the cone which the tokens form in R^d.

    The polar angle of a point is the true angle in R^d between its token and the mean direction m of all tokens, so
    the opening of the cone is not distorted: x_3 = <u_i, m>. Only the azimuth is a projection: the direction of
    u_i - <u_i, m> m within the two leading principal directions of these residuals.
    """
    u = unit_rows(z.cpu().double())
    mean = torch.nn.functional.normalize(u.mean(0), dim=0)
    height = (u @ mean).clamp(-1, 1)
    residual = u - height[:, None] * mean
    axes = torch.linalg.svd(residual, full_matrices=False).Vh[:2]
    azimuth = torch.nn.functional.normalize(residual @ axes.T, dim=1)
    return torch.cat([azimuth * (1 - height**2).sqrt()[:, None], height[:, None]], dim=1).float()
