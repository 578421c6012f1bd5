"""The parts that every recursion shares: exact cases, and draws of what each stands for."""

import numpy as np
import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaConfig, LlamaRotaryEmbedding, apply_rotary_pos_emb

from decondense import propagation


def rng():
    return np.random.default_rng(0)


def test_a_norm_leaves_the_cosines():
    x = rng().standard_normal((5, 40)) * np.arange(1, 6)[:, None]
    k = x @ x.T / 40
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(propagation.cosines(k), units @ units.T)
    np.testing.assert_allclose(propagation.cosines(propagation.normalised(k, 1e-5)), units @ units.T)
    assert np.diag(propagation.normalised(k, 1.0)) == pytest.approx(np.diag(k) / (np.diag(k) + 1))


@pytest.mark.parametrize("base", [1e4, 1e6])
def test_positions_are_those_of_llama(base):
    q, k = rng().standard_normal((2, 7, 16))
    config = LlamaConfig(hidden_size=16, num_attention_heads=1, head_dim=16, rope_theta=base)
    positions = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.arange(7)[None])
    theirs, _ = apply_rotary_pos_emb(torch.tensor(q)[None, None], torch.tensor(k)[None, None], *positions)
    np.testing.assert_allclose(propagation.rotated(q, base), theirs[0, 0], atol=1e-5)


def test_a_causal_softmax_looks_back():
    weights = propagation.causal_softmax(rng().standard_normal((6, 6)))
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights[np.triu_indices(6, 1)] == 0).all()
    np.testing.assert_allclose(propagation.causal_softmax(np.zeros((3, 3)))[2], 1 / 3)


@pytest.mark.parametrize("phi", [propagation.gelu, propagation.silu])
@pytest.mark.parametrize("c", [-0.5, 0.0, 0.3, 1.0])
def test_a_mean_over_gaussians_is_that_of_draws(phi, c):
    a, b = rng().standard_normal((2, 400_000)) * 0.8
    drawn = (phi(a) * phi(c * a + np.sqrt(1 - c**2) * b)).mean()
    assert propagation.gaussian_mean(phi, 0.64, np.array([c]))[0] == pytest.approx(drawn, abs=2e-3)


def test_activations_are_those_of_torch():
    u = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(propagation.silu(u), torch.nn.functional.silu(torch.tensor(u)), atol=1e-12)
    np.testing.assert_allclose(
        propagation.gelu(u), torch.nn.functional.gelu(torch.tensor(u), approximate="tanh"), atol=1e-12
    )
