"""The recursion against models that are drawn, part by part and as a whole, and exact limits."""

import numpy as np
import pytest
import torch

from decondense import hooks, metrics
from decondense.chapters.resist import recursion
from decondense.models.variants import designs
from decondense.models.variants.linear import LinearAttention
from decondense.models.variants.model import VariantModel

SHAPE = {"width": 192, "blocks": 4, "heads": 4, "mlp": 512, "initializer": 0.04}
IDS = np.random.default_rng(0).integers(0, 30, 24)


def sizes(name, **change):
    return recursion.sizes(designs.config(name, SHAPE | change, 30))


@torch.no_grad()
@pytest.mark.parametrize("name", designs.NAMES)
def test_a_drawn_model_has_the_predicted_cosines(name):
    mean = lambda _, hidden: float(metrics.mean_cosine(hidden[0]).all_pairs)
    drawn = []
    for seed in range(3):
        with hooks.residual_stream(model := designs.model(name, SHAPE, 30, seed).eval(), mean) as entries:
            model(input_ids=torch.tensor(IDS)[None])
        drawn.append([entries[entry] for entry in sorted(entries)])
    found = recursion.predict(sizes(name), [IDS])
    np.testing.assert_allclose(found, np.mean(drawn, axis=0), atol=0.08)


def test_the_embedding_gives_the_first_entry():
    same = (IDS[:, None] == IDS[None, :]).mean()
    for name in ("pre-norm", "sandwich norm", "hyperspherical"):
        assert recursion.predict(sizes(name), [IDS])[0] == pytest.approx(same, abs=1e-3)


def test_a_residual_of_0_leaves_the_embedding():
    found = recursion.predict(sizes("scaled residual")._replace(residual=0.0), [IDS])
    np.testing.assert_allclose(found, found[0])


def test_tokens_that_are_one_stay_one():
    same = [np.zeros(5, int)]
    for name in designs.NAMES:
        if name != "state-space hybrid":
            np.testing.assert_allclose(recursion.predict(sizes(name), same), 1, atol=1e-4)
    assert recursion.predict(sizes("state-space hybrid"), same)[-1] < 0.99  # a state tells where its text began


def test_the_kernel_is_that_of_the_model():
    u = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(recursion._kernel(u), torch.nn.functional.elu(torch.tensor(u)) + 1)
    assert LinearAttention.__doc__.count("elu(u) + 1") == 1


@torch.no_grad()
@pytest.mark.parametrize("common", [0.0, 0.6])
def test_a_drawn_state_space_adds_the_predicted_products(common):
    config = designs.config("state-space hybrid", SHAPE, 30)
    root = np.linalg.cholesky(common + (1 - common) * np.eye(16))
    rng, layer = np.random.default_rng(0), designs.model("state-space hybrid", SHAPE, 30, 0).model.layers[0].self_attn
    initialised = VariantModel(config)._init_weights
    drawn = []
    for _ in range(100):
        layer.apply(initialised)
        x = torch.tensor(root @ rng.standard_normal((16, 192)), dtype=torch.float32)
        added = layer(x[None])[0][0].double().numpy()
        drawn.append(added @ added.T / 192)
    found = np.mean([recursion.state_space(sizes("state-space hybrid"), root, rng) for _ in range(100)], axis=0)
    size = np.diag(found).mean()
    np.testing.assert_allclose(found, np.mean(drawn, axis=0), atol=0.1 * size)
    assert found.mean() == pytest.approx(np.mean(drawn), abs=0.02 * size)


def test_texts_are_averaged():
    a = sizes("post-norm")
    both = recursion.predict(a, [IDS, IDS[:5]], draws=1)
    assert both[0] == pytest.approx(np.mean([recursion.predict(a, [ids])[0] for ids in (IDS, IDS[:5])]))


def test_what_is_not_covered_is_refused():
    with pytest.raises(ValueError, match="does not cover olmoe"):
        sizes("experts")
    with pytest.raises(ValueError, match="at least 2 tokens"):
        recursion.predict(sizes("pre-norm"), [IDS[:1]])
