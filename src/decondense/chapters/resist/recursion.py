"""What each design does to the cosines of its tokens before training: the recursion of page 22 for other blocks.

With C = `normalised` K, att and mlp what attention and the MLP add to the products K_ij = <x_i, x_j> / d, r the
residual multiplier, and the means over the weights taken as there:

    pre-norm       K += r^2 att(C), then K += r^2 mlp(C)
    parallel       K += att(C) + mlp(C), both of the same C
    post-norm      K <- normalised(K + att(K)), then K <- normalised(K + mlp(K))
    sandwich       K += normalised(att(C)), then K += normalised(mlp(C))
    mixed          K <- a^2 K + (2 a b g + b^2) K_0, where g K_0 are the products of stream and embedding; then pre-norm
    sphere         K <- cosines((1 - alpha)^2 K + alpha^2 cosines(att(K))), then the same with mlp

and attention's pattern A drawn from random queries and keys: softmax of their products (normalised per head where the
design does so), or those of elu + 1 of them where attention is linear. A selective state space is more than a
pattern: whole layers are drawn, with Gaussian inputs, up to the norm before the output projection (`state_space`). A
mixture of experts is not covered: which expert a token goes to depends on the token.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ...models.variants.blocks import MIXED
from ...models.variants.linear import EVERY
from ...models.variants.model import BLOCKS, SPHERE, VariantConfig
from ...models.variants.sphere import ALPHA
from ...models.variants.state_space import RATES, STEPS, TAPS
from ...propagation import Gram, causal_softmax, cosines, gaussian_mean, normalised, rotated, silu

Update = Callable[[Gram], Gram]


class Sizes(NamedTuple):
    """What the recursion needs of a configuration."""

    block: str  # of `model.BLOCKS`
    width: int  # d
    depth: int  # L
    heads: int  # H
    head_dim: int  # d_h
    mlp_width: int  # f
    initializer: float  # s
    eps: float  # of the norms
    base: float  # of rotary positions
    residual: float = 1.0  # r
    per_head: bool = False  # queries and keys normalised


def sizes(config) -> Sizes:
    """The sizes of a configuration of `designs.config`.

    Raises
        ValueError: one that the recursion does not cover.
    """
    if config.model_type not in ("llama", "qwen3", "granite", VariantConfig.model_type):
        raise ValueError(
            f"The recursion does not cover {config.model_type}: give a design of `variants.designs.NAMES`."
        )
    return Sizes(
        block=getattr(config, "block", "pre"),
        width=config.hidden_size,
        depth=config.num_hidden_layers,
        heads=config.num_attention_heads,
        head_dim=config.hidden_size // config.num_attention_heads,
        mlp_width=config.intermediate_size,
        initializer=config.initializer_range,
        eps=config.rms_norm_eps,
        base=config.rope_parameters["rope_theta"],
        residual=getattr(config, "residual_multiplier", 1.0),
        per_head=config.model_type == "qwen3",
    )


def predict(
    sizes: Sizes, texts: Sequence[Int[np.ndarray, "_"]], draws: int = 4, seed: int = 0
) -> Float[np.ndarray, "entries"]:
    """Mean cosine (diagonal included) at the entries 0..L, averaged over the texts (token ids).

    draws
        Over how many random heads attention is averaged, in each block.

    Raises
        ValueError: a text of fewer than two tokens.
    """
    if min(map(len, texts)) < 2:
        raise ValueError("A mean cosine needs at least 2 tokens. Give longer texts.")
    rng = np.random.default_rng(seed)
    return np.mean([_propagated(sizes, np.asarray(ids), draws, rng) for ids in texts], axis=0)


def _propagated(a: Sizes, ids: Int[np.ndarray, "tokens"], draws: int, rng: np.random.Generator) -> np.ndarray:
    k = a.initializer**2 * (ids[:, None] == ids[None, :])
    if BLOCKS[a.block].normalised_embedding:
        k = normalised(k, a.eps)
    k = cosines(k) if a.block == SPHERE else k
    first, shared, mu = k, 1.0, [cosines(k).mean()]
    for number in range(a.depth):
        att: Update = lambda c, number=number: attention(a, c, number, draws, rng)
        mlp: Update = lambda c: _mlp(a, c)
        if a.block == "mixed":
            k = k + (2 * MIXED * shared + MIXED**2) * first
            shared += MIXED
        k = _block(a, k, att, mlp)
        mu.append(cosines(k).mean())
    return np.array(mu)


def _block(a: Sizes, k: Gram, att: Update, mlp: Update) -> Gram:
    norm = lambda x: normalised(x, a.eps)
    if a.block == SPHERE:
        for update in (att, mlp):
            k = cosines((1 - ALPHA) ** 2 * k + ALPHA**2 * cosines(update(k)))
        return k
    if a.block == "post":
        k = norm(k + att(k))
        return norm(k + mlp(k))
    if a.block == "parallel":
        return k + att(norm(k)) + mlp(norm(k))
    added = norm if a.block == "sandwich" else (lambda x: a.residual**2 * x)
    k = k + added(att(norm(k)))
    return k + added(mlp(norm(k)))


def attention(a: Sizes, c: Gram, number: int, draws: int, rng: np.random.Generator) -> Gram:
    """What attention of block `number`, or what is in its place, adds to the products, those of its input being `c`."""
    root = np.linalg.cholesky(c + 1e-8 * np.diag(c).mean() * np.eye(len(c)))
    if a.block == "state_space" and (number + 1) % EVERY:
        return np.mean([state_space(a, root, rng) for _ in range(draws)], axis=0)
    mixed = [_pattern(a, root, number, rng) @ root for _ in range(draws)]
    scale = 1.0 if a.block == SPHERE else a.width * a.initializer**4 * a.heads * a.head_dim
    return scale * sum(m @ m.T for m in mixed) / draws


def _pattern(a: Sizes, root: Gram, number: int, rng: np.random.Generator) -> Gram:
    """The weights of one random head: a row for each token, over itself and those before it."""
    q, k = np.sqrt(a.width) * a.initializer * (root @ rng.standard_normal((2, len(root), a.head_dim)))
    if a.block == "hybrid" and (number + 1) % EVERY:
        weights = np.tril(_kernel(q) @ _kernel(k).T)
        return weights / weights.sum(1, keepdims=True)
    scale = a.head_dim**-0.5
    if a.per_head:
        q, k = (x / np.sqrt((x**2).mean(1, keepdims=True)) for x in (q, k))
    if a.block == SPHERE:
        q, k, scale = *(x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, k)), a.head_dim**0.5
    return causal_softmax(rotated(q, a.base) @ rotated(k, a.base).T * scale)


def state_space(a: Sizes, root: Gram, rng: np.random.Generator) -> Gram:
    """What one selective state space with random weights adds to the products, those of its input being root root'.

    All heads share B and C, and one norm: so whole layers are drawn, not heads.
    """
    inner, tokens = a.heads * a.head_dim, len(root)
    field = lambda count: np.sqrt(a.width) * a.initializer * (root @ rng.standard_normal((tokens, count)))
    x, b, c = np.split(_convolved(field(inner + 2 * a.head_dim), rng), (inner, inner + a.head_dim), axis=1)
    bias = np.log(np.expm1(np.exp(rng.uniform(*np.log(STEPS), a.heads))))
    delta = np.logaddexp(0, field(a.heads) + bias)
    forgotten = np.cumsum(delta * rng.uniform(*RATES, a.heads), axis=0).T
    decays = np.exp(-np.tril(forgotten[:, :, None] - forgotten[:, None, :]))
    x = x.reshape(tokens, a.heads, a.head_dim).transpose(1, 0, 2)
    y = np.tril(c @ b.T * decays) @ (delta.T[..., None] * x) + x
    y = y.transpose(1, 0, 2).reshape(tokens, inner) * silu(field(inner))
    return inner * a.initializer**2 * normalised(y @ y.T / inner, a.eps)


def _convolved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SiLU of the causal convolution of each channel with its own weights, drawn as PyTorch does."""
    bias, *taps = rng.uniform(-(TAPS**-0.5), TAPS**-0.5, (1 + TAPS, x.shape[1]))
    padded = np.pad(x, ((TAPS - 1, 0), (0, 0)))
    return silu(bias + sum(tap * padded[place : place + len(x)] for place, tap in enumerate(taps)))


def _kernel(u: np.ndarray) -> np.ndarray:
    """elu(u) + 1."""
    return np.where(u > 0, u + 1, np.exp(np.minimum(u, 0)))


def _mlp(a: Sizes, c: Gram) -> Gram:
    """What a SwiGLU MLP adds to the products, or on the sphere a multiple of it."""
    r, power = cosines(c), np.diag(c).mean()
    if a.block == SPHERE:
        return gaussian_mean(silu, 1.0, r) * r
    variance = power * a.width * a.initializer**2
    return a.mlp_width * a.initializer**2 * gaussian_mean(silu, variance, r) * variance * r
