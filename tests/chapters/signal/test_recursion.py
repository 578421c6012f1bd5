"""The recursion: each part against a draw of what it stands for, and exact limits."""

import numpy as np
import pytest
import torch
from transformers.models.qwen3.modeling_qwen3 import Qwen3Config, Qwen3RotaryEmbedding, apply_rotary_pos_emb

from decondense.chapters.signal import recursion as signal
from decondense.propagation import ROTARY_BASE

GPT2 = signal.Architecture("gpt2", 256, 4, 4, 64, 1024)
QWEN3 = signal.Architecture("qwen3", 256, 4, 4, 32, 768)
BOTH = pytest.mark.parametrize("a", [GPT2, QWEN3], ids=lambda a: a.kind)
IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3])


def rng():
    return np.random.default_rng(0)


def gram(n=12, shared=0.3):
    return (1 - shared) * np.eye(n) + shared


def test_sizes_are_those_of_the_table():
    assert signal.architecture("gpt2-xl") == signal.Architecture("gpt2", 1600, 48, 25, 64, 6400)
    assert signal.architecture("Qwen/Qwen3-0.6B") == signal.Architecture("qwen3", 1024, 28, 16, 128, 3072)
    assert signal.architecture("gpt2").output_initializer == pytest.approx(0.02 / 24**0.5)
    assert signal.architecture("qwen3-1.7b").output_initializer == 0.02


def test_other_families_are_refused():
    with pytest.raises(ValueError, match="not those of bloom-560m"):
        signal.architecture("bloom-560m")


def test_resized_keeps_proportions():
    assert signal.resized(GPT2, 512) == signal.Architecture("gpt2", 512, 4, 8, 64, 2048)
    assert signal.resized(QWEN3, 512) == signal.Architecture("qwen3", 512, 4, 4, 32, 1536)
    with pytest.raises(ValueError, match="multiple of 64"):
        signal.resized(GPT2, 100)


def test_embedding_shares_repeated_tokens():
    ids = np.array([7, 8, 7])
    s2 = 0.02**2
    np.testing.assert_allclose(signal.embedding_gram(GPT2, ids), s2 * np.array([[2, 0, 1], [0, 2, 0], [1, 0, 2]]))
    np.testing.assert_allclose(signal.embedding_gram(QWEN3, ids), s2 * np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]]))


@BOTH
def test_one_token_is_refused(a):
    with pytest.raises(ValueError, match="at least 2 tokens"):
        signal.predict(a, [np.array([1])])


def test_uniform_attention_leaves_one_over_i_of_the_own_part():
    mixed = signal.attention(GPT2, np.eye(6), 0, rng())
    np.testing.assert_allclose(np.diag(mixed), 1 / np.arange(1, 7))
    assert mixed[1, 5] == pytest.approx(1 / 6)  # row 5 averages over all that row 1 saw


@BOTH
@pytest.mark.parametrize("draws", [0, 3])
def test_attention_keeps_what_all_tokens_share(a, draws):
    np.testing.assert_allclose(signal.attention(a, np.ones((5, 5)), draws, rng()), 1, rtol=1e-6)


def test_small_scores_are_uniform_attention():
    a = GPT2._replace(initializer=1e-4)
    c = gram()
    np.testing.assert_allclose(signal.attention(a, c, 1, rng()), signal.attention(a, c, 0, rng()), atol=1e-4)


def test_scores_have_the_variance_stated():
    """(d s^2)^2 for GPT-2, 1 for normalised queries and keys."""
    root = np.eye(64)
    for a, variance in ((GPT2, (256 * 0.02**2) ** 2), (QWEN3, 1.0)):
        generator = rng()
        found = np.var([signal._scores(a, root, generator) for _ in range(20)])
        assert found == pytest.approx(variance, rel=0.05)


def test_random_scores_leave_mixed_tokens_apart():
    """Independent scores of variance 1, orthogonal tokens, long text: a cosine of 1/e; uniform weights would give 1."""
    a, generator = QWEN3._replace(head_dim=128), rng()
    mixed = np.mean([signal.attention(a, np.eye(600), 1, generator)[-2:, -2:] for _ in range(8)], axis=0)
    assert mixed[0, 1] / mixed[0, 0] == pytest.approx(np.exp(-1), abs=0.03)


def test_rotation_is_that_of_transformers():
    config = Qwen3Config(hidden_size=64, num_attention_heads=2, head_dim=32, rope_theta=ROTARY_BASE)
    x = torch.randn(1, 1, 9, 32, generator=torch.Generator().manual_seed(0))
    cos, sin = Qwen3RotaryEmbedding(config)(x, torch.arange(9)[None])
    theirs = apply_rotary_pos_emb(x, x, cos, sin)[0][0, 0]
    np.testing.assert_allclose(signal.rotated(x[0, 0].double().numpy()), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(signal.gelu, torch.nn.GELU(approximate="tanh")), (signal.silu, torch.nn.SiLU())],
)
def test_activations_are_those_of_torch(ours, theirs):
    u = np.linspace(-6, 6, 101)
    np.testing.assert_allclose(ours(u), theirs(torch.as_tensor(u)).numpy(), atol=1e-12)


@BOTH
@pytest.mark.parametrize("correlation", [-0.95, -0.5, 0.0, 0.1, 0.6, 0.95])
def test_kernel_equals_simulation(a, correlation):
    n, deviation, generator = 200_000, np.sqrt(a.width) * a.initializer, rng()

    def inputs():
        u, noise = deviation * generator.standard_normal((2, n))
        return u, correlation * u + np.sqrt(1 - correlation**2) * noise

    if a.kind == "gpt2":
        products = np.prod([signal.gelu(u) for u in inputs()], axis=0)
    else:
        products = np.prod([*(signal.silu(u) for u in inputs()), *inputs()], axis=0)
    found = signal.mlp_kernel(a, np.array([correlation]))[0]
    assert abs(found - products.mean()) < 5 * products.std() / n**0.5 + 1e-4 * products.std()


def test_gaussian_mean_of_the_identity_is_the_covariance():
    c = np.array([[1.0, 0.25], [0.25, -0.5]])
    np.testing.assert_allclose(signal.gaussian_mean(lambda u: u, 0.7, c), 0.7 * c, atol=1e-12)


@BOTH
def test_prediction_is_an_average_over_texts_and_repeats_with_its_seed(a):
    texts = [IDS, IDS[:9]]
    both = signal.predict(a, texts, draws=0)
    each = [signal.predict(a, [text], draws=0) for text in texts]
    np.testing.assert_allclose(both.mu, np.mean([p.mu for p in each], axis=0))
    np.testing.assert_array_equal(signal.predict(a, texts, seed=3).mu, signal.predict(a, texts, seed=3).mu)
    assert both.mu.shape == both.norm.shape == (a.depth + 1,)
    assert ((both.mu > 0) & (both.mu <= 1)).all()


@BOTH
def test_one_repeated_token_at_no_position_stays_one_vector(a):
    mu = signal.predict(a, [np.zeros(8, dtype=int)]).mu
    if a.kind == "qwen3":
        np.testing.assert_allclose(mu, 1, atol=1e-6)
    else:
        assert mu[0] == pytest.approx((1 + 0.5 * 7) / 8)


def test_without_mlp_and_attention_nothing_happens():
    a = GPT2._replace(mlp_width=0, heads=0)
    found = signal.predict(a, [IDS], draws=0)
    np.testing.assert_allclose(found.mu, found.mu[0])
    np.testing.assert_allclose(found.norm[:-1], (2 * a.width) ** 0.5 * a.initializer)


def test_last_norm_is_after_the_final_norm():
    assert signal.predict(GPT2, [IDS]).norm[-1] == pytest.approx(16, rel=1e-2)


@pytest.mark.parametrize("name", ["gpt2", "qwen3-0.6b", "qwen3-8b"])
def test_drift_is_that_of_the_recursion_deep_in_the_stack(name):
    """One block deep in the stack, a shared cosine, uniform attention over a long text without own parts."""
    a, c, level, power = signal.architecture(name), 0.3, 2000, None
    att, mlp = signal.powers(a)
    power = level * (att * c + mlp)
    product = power * c
    later = product + att * c + a.mlp_width * a.output_initializer**2 * signal.mlp_kernel(a, np.array([c]))[0]
    change = later / (power + att * c + mlp) - c
    assert change * level == pytest.approx(signal.drift(a, np.array([c]))[0], rel=1e-3)


@pytest.mark.parametrize("name", ["gpt2", "qwen3-0.6b"])
def test_one_cosine_for_all_is_at_rest_at_one(name):
    assert signal.drift(signal.architecture(name), np.array([1.0]))[0] == pytest.approx(0, abs=1e-12)


def test_wide_qwen3_disperses_where_a_narrow_one_condenses():
    drift = [signal.drift(signal.architecture(f"qwen3-{size}"), np.array([0.2]))[0] for size in ("0.6b", "1.7b", "8b")]
    assert drift[0] > drift[1] > 0 > drift[2]
