"""What each loss against collapse costs beside `dispersion`, over the matrix products that it cannot do without.

The Cholesky factor and the inverse that `log_det` needs count as its own time; only eigenvectors count as needed.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from .. import losses, records
from ..base import timing
from .losses import cone, products, value_and_gradient

BARE = ", products"  # behind the name of a loss
PAIRS, NEAREST, GRAM, SPECTRUM = (
    "3/2 N² d, all cosines and their gradients",
    "N² d, all cosines",
    "2 N d min(N, d), a Gram matrix",
    "2 N d m + m³, a function of a Gram matrix of m = min(N, d), and its eigenvectors",
)
LINES, VIEWS, CROSS = "2 N d M, of M random lines", "4 N² d, all cosines twice", "3 N d², correlations of two views"
OF = {
    **dict.fromkeys(("dispersion", "uniformity", "hyperspherical_energy", "simctg"), PAIRS),
    "koleo": NEAREST,
    **dict.fromkeys(("covariance", "vicreg", "isoscore", "log_det"), GRAM),
    "rank_floor": SPECTRUM,
    "sigreg": LINES,
    "info_nce": VIEWS,
    "barlow": CROSS,
    **dict.fromkeys(("cosine", "variance"), ""),  # without any
}
SLICES = 256  # of `sigreg`, as it has them


def by_loss(tokens: int, features: int, *, rounds: int = 7, threads: int = 1, seed: int = 0) -> records.Record:
    """Record what value and gradient of each loss of `OF` cost on `tokens` tokens, and its matrix products alone.

    Two texts of half the tokens each to the losses that need two, else one. The second view of those that take one is
    made before. The results hold `rows`, one a round, of `timing.Cost` by the name of a loss, and by the name followed
    by `BARE` for its products.
    """
    config = {"tokens": tokens, "features": features, "rounds": rounds, "threads": threads, "seed": seed}

    def compute() -> tuple[dict, None]:
        torch.set_num_threads(threads)
        z = cone(tokens, features, seed)
        cases = {name: partial(value_and_gradient, *_asked(name, z)) for name in OF}
        cases |= {name + BARE: partial(MULTIPLY[kind], z) for name, kind in OF.items() if kind}
        return {"rows": timing.interleaved(cases, rounds)}, None

    return records.run("bench-family", config, compute, __name__, surroundings={"torch": torch.__version__})


def _asked(name: str, z: Float[Tensor, "1 tokens features"]) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    loss = losses.get(name)
    z = z.view(losses.least_texts(loss), -1, z.shape[2])
    return (partial(loss, views=z + 0.1 * z.flip(1)) if losses.needs_views(loss) else loss), z


def _nearest(z: Tensor) -> Tensor:
    return z @ z.mT


def _gram(z: Tensor) -> Tensor:
    return (z @ z.mT) @ z if z.shape[1] <= z.shape[2] else z @ (z.mT @ z)


def _spectrum(z: Tensor) -> Tensor:
    """The slope of the entropy is the logarithm of the Gram matrix, which its eigenvectors give."""
    rows = z.shape[1] <= z.shape[2]
    values, vectors = torch.linalg.eigh(z @ z.mT if rows else z.mT @ z)
    slope = (vectors * values[:, None]) @ vectors.mT
    return slope @ z if rows else z @ slope


def _lines(z: Tensor) -> Tensor:
    lines = torch.ones(z.shape[2], SLICES)
    return (z @ lines) @ lines.T


def _views(z: Tensor) -> tuple[Tensor, Tensor]:
    z @ z.mT
    cosines = z @ z.mT
    return cosines @ z, cosines.mT @ z


def _cross(z: Tensor) -> tuple[Tensor, Tensor]:
    c = z.mT @ z
    return z @ c, z @ c.mT


MULTIPLY: dict[str, Callable] = {
    PAIRS: products, NEAREST: _nearest, GRAM: _gram, SPECTRUM: _spectrum,
    LINES: _lines, VIEWS: _views, CROSS: _cross,
}  # fmt: skip
