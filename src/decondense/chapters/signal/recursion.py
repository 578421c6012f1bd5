"""Why embeddings condense at initialisation: the Gram matrix of the residual stream, carried from block to block.

In a wide network with random weights the products K_ij = <x_i, x_j> / d of the tokens of a text hardly vary from one
draw of the weights to another, and their means follow a recursion over the blocks. It needs the pattern of repeated
token ids and the sizes of the architecture, no weights. With C_ij = K_ij / sqrt((K_ii + eps)(K_jj + eps)) after a norm,
s the initialiser and s_o that of the projections that write to the stream:

    embedding   K = s^2 ([t_i = t_j] + [i = j])          (GPT-2; without the positions [i = j] for Qwen3)
    attention   K += (d s^2) (H d_h s_o^2) E[A C A']      A: the causal softmax of random scores
    MLP         K += f s_o^2 E[phi(u_i) phi(u_j)]         u: Gaussian with variance d s^2 and the correlation of C

Assumed: independent Gaussian weights, zero biases, width to infinity (means for draws), tokens with unit gains in the
norms, LayerNorm's centring of no effect. For GPT-2 s_o = s / sqrt(2 L), phi = GELU (tanh form); for Qwen3 s_o = s,
phi(u) is silu(g) u' of two independent inputs, queries and keys are normalised per head and rotated.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ... import models
from ...propagation import Gram, causal_softmax, cosines, gaussian_mean, gelu, normalised, rotated, silu


class Architecture(NamedTuple):
    """The sizes that the recursion needs. `kind`: GPT-2 (LayerNorm, GELU, learned positions) or Qwen3."""

    kind: Literal["gpt2", "qwen3"]
    width: int  # d
    depth: int  # L
    heads: int  # H
    head_dim: int  # d_h
    mlp_width: int  # f; 0 leaves the MLP out
    initializer: float = 0.02  # s

    @property
    def output_initializer(self) -> float:
        """s_o, of the two projections that write to the residual stream."""
        return self.initializer / np.sqrt(2 * self.depth) if self.kind == "gpt2" else self.initializer

    @property
    def eps(self) -> float:
        """What the norms add to the mean square."""
        return 1e-5 if self.kind == "gpt2" else 1e-6


def architecture(name: str) -> Architecture:
    """The sizes of a GPT-2 or Qwen3 model of `models.table()`.

    Raises
        ValueError: unknown name, or a model of another family.
    """
    short, entry = models.resolve(name)
    c = entry.get("config", {})
    if entry["family"] == "GPT2":
        return Architecture("gpt2", c["n_embd"], c["n_layer"], c["n_head"], c["n_embd"] // c["n_head"], 4 * c["n_embd"])
    if entry["family"] == "Qwen3":
        heads = c["num_attention_heads"], c["head_dim"]
        return Architecture("qwen3", c["hidden_size"], c["num_hidden_layers"], *heads, c["intermediate_size"])
    raise ValueError(f"The recursion knows the blocks of GPT-2 and Qwen3, not those of {short}.")


def resized(a: Architecture, width: int) -> Architecture:
    """The architecture at another width: the MLP in proportion; GPT-2 with heads of 64, Qwen3 with its heads as before.

    Raises
        ValueError: for GPT-2, a width that is not a multiple of 64.
    """
    if a.kind == "gpt2" and width % 64:
        raise ValueError(f"GPT-2 has heads of 64, so its width is a multiple of 64; got {width}.")
    heads = (width // 64, 64) if a.kind == "gpt2" else (a.heads, a.head_dim)
    return a._replace(width=width, heads=heads[0], head_dim=heads[1], mlp_width=a.mlp_width * width // a.width)


class Propagation(NamedTuple):
    """Per entry l = 0..L (as in `hooks`): mean cosine over all pairs, root mean square of the norms of the tokens."""

    mu: Float[np.ndarray, "entries"]
    norm: Float[np.ndarray, "entries"]


def predict(a: Architecture, texts: Sequence[Int[np.ndarray, "_"]], draws: int = 2, seed: int = 0) -> Propagation:
    """The recursion for each text (its token ids), averaged over the texts as the paper's mu is.

    draws
        Over how many random heads E[A C A'] is averaged, in each block. 0: uniform attention instead, A_ij = 1 / i.

    Raises
        ValueError: a text of fewer than two tokens.
    """
    rng = np.random.default_rng(seed)
    found = [_propagate(a, np.asarray(ids), draws, rng) for ids in texts]
    return Propagation(*(np.mean(values, axis=0) for values in zip(*found, strict=True)))


def _propagate(a: Architecture, ids: Int[np.ndarray, "tokens"], draws: int, rng: np.random.Generator) -> Propagation:
    k, s = embedding_gram(a, ids), a.initializer
    mu, power = [cosines(k).mean()], [np.diag(k).mean()]
    for _ in range(a.depth):
        mixed = attention(a, normalised(k, a.eps), draws, rng)
        k = k + a.width * s**2 * a.heads * a.head_dim * a.output_initializer**2 * mixed
        scale = np.diag(normalised(k, a.eps)).mean()
        k = k + a.mlp_width * a.output_initializer**2 * mlp_kernel(a, cosines(k), scale)
        mu.append(cosines(k).mean())
        power.append(np.diag(k).mean())
    power[-1] = np.diag(normalised(k, a.eps)).mean()  # the last entry is after the final norm
    return Propagation(np.array(mu), np.sqrt(a.width * np.array(power)))


def embedding_gram(a: Architecture, ids: Int[np.ndarray, "tokens"]) -> Gram:
    """<x_i, x_j> / d at entry 0: a token shares its embedding with its repetitions, a position with none.

    Raises
        ValueError: fewer than two tokens.
    """
    if len(ids) < 2:
        raise ValueError(f"A mean cosine needs at least 2 tokens, got {len(ids)}. Give a longer text.")
    same = (ids[:, None] == ids[None, :]).astype(float)
    return a.initializer**2 * (same + np.eye(len(ids)) * (a.kind == "gpt2"))


def attention(a: Architecture, c: Gram, draws: int, rng: np.random.Generator) -> Gram:
    """E[A C A'] over random queries and keys: the products of what causal attention mixes.

    Rows of A sum to one, so what all tokens share passes unchanged, and what is a token's own is averaged away:
    with uniform attention and orthogonal tokens of unit length, row i is left with 1 / i.
    """
    n = len(c)
    if draws == 0:
        weights = np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]
        return weights @ c @ weights.T
    root = np.linalg.cholesky(c + 1e-8 * np.eye(n))
    mixed = [causal_softmax(_scores(a, root, rng)) @ root for _ in range(draws)]
    return sum(m @ m.T for m in mixed) / draws


def _scores(a: Architecture, root: Gram, rng: np.random.Generator) -> Gram:
    """The scores of one random head: queries and keys are Gaussian with the products of C over the tokens."""
    q, k = np.sqrt(a.width) * a.initializer * (root @ rng.standard_normal((2, len(root), a.head_dim)))
    if a.kind == "qwen3":
        q, k = (rotated(x / np.sqrt((x**2).mean(1, keepdims=True))) for x in (q, k))
    return q @ k.T / np.sqrt(a.head_dim)


def mlp_kernel(a: Architecture, c: Float[np.ndarray, "*shape"], scale: float = 1.0) -> Float[np.ndarray, "*shape"]:
    """E[phi(u) phi(v)] for inputs of variance d s^2 `scale` with the correlation `c`; range of c: [-1, 1]."""
    variance = scale * a.width * a.initializer**2
    if a.kind == "gpt2":
        return gaussian_mean(gelu, variance, c)
    return gaussian_mean(silu, variance, c) * variance * c


def drift(a: Architecture, c: Float[np.ndarray, "cosines"]) -> Float[np.ndarray, "cosines"]:
    """d c / d log l of a cosine c that all pairs share, deep in the stack and over a long context.

    A block adds P_att c to every product <x_i, x_j> / d and to every <x_i, x_i> / d (own parts average away), and the
    MLP P_mlp k(c) to the first and P_mlp to the second, where k(c) is `mlp_kernel` divided by its value at 1. Then

        drift(c) = (P_att c (1 - c) + P_mlp (k(c) - c)) / (P_att c + P_mlp)

    Positive: tokens condense. The logarithm is there because the squared norm of the stream grows in proportion to l.
    """
    att, mlp = powers(a)
    shape = mlp_kernel(a, c) / mlp_kernel(a, np.ones(1))
    return (att * c * (1 - c) + mlp * (shape - c)) / (att * c + mlp)


def powers(a: Architecture) -> tuple[float, float]:
    """(P_att, P_mlp): mean square that a block's attention adds if all tokens agree, and that its MLP adds."""
    att = a.width * a.initializer**2 * a.heads * a.head_dim * a.output_initializer**2
    return float(att), float(a.mlp_width * a.output_initializer**2 * mlp_kernel(a, np.ones(1))[0])
