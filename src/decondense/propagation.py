"""Products of token vectors carried through the parts of a wide network with random weights: norms, heads, MLPs.

In a wide network the products K_ij = <x_i, x_j> / d of the tokens of a text hardly vary from one draw of the weights to
another. What each part does to them in the mean is here; what a whole block does is left to the pages that ask.
"""

import numpy as np
from jaxtyping import Float
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit

Gram = Float[np.ndarray, "tokens tokens"]
NODES, WEIGHTS = hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()  # mean over a standard normal variable
CORRELATIONS = np.linspace(-1, 1, 65)
ROTARY_BASE = 1e6


def normalised(k: Gram, eps: float) -> Gram:
    """The Gram matrix after LayerNorm or RMSNorm with unit gain."""
    length = np.sqrt(np.diag(k) + eps)
    return k / np.outer(length, length)


def cosines(k: Gram) -> Gram:
    """The cosines that a Gram matrix holds."""
    return normalised(k, 0.0)


def rotated(x: Float[np.ndarray, "tokens features"], base: float = ROTARY_BASE) -> Float[np.ndarray, "tokens features"]:
    """Rotary positions: the features j and j + d_h / 2 of token i turned by i / base^(2 j / d_h)."""
    half = x.shape[1] // 2
    angle = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
    first, second = x[:, :half], x[:, half:]
    return np.hstack([first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle)])


def causal_softmax(scores: Gram) -> Gram:
    """The softmax of each row over its own and earlier columns."""
    weights = np.tril(np.exp(scores - scores.max(1, keepdims=True)))
    return weights / weights.sum(1, keepdims=True)


def gaussian_mean(phi, variance: float, c: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """E[phi(u) phi(v)], u and v Gaussian with mean 0, this variance and correlation c.

    Gauss-Hermite quadrature at 65 correlations, straight lines between them.
    """
    deviation, r = np.sqrt(variance), CORRELATIONS[:, None, None]
    v = deviation * (r * NODES[:, None] + np.sqrt(1 - r**2) * NODES)
    table = np.einsum("i,j,i,rij->r", WEIGHTS, WEIGHTS, phi(deviation * NODES), phi(v))
    return np.interp(c, CORRELATIONS, table)


def gelu(u: np.ndarray) -> np.ndarray:
    """GELU in the tanh form that GPT-2 uses."""
    return 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))


def silu(u: np.ndarray) -> np.ndarray:
    """u / (1 + e^-u), the gate of SwiGLU."""
    return u * expit(u)
