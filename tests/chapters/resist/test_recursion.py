"""The recursion against models that are drawn, part by part and as a whole, and exact limits."""

import numpy as np
import pytest
import torch

from decondense import hooks, metrics
from decondense.chapters.resist import recursion
from decondense.models.variants import designs
from decondense.models.variants.linear import LinearAttention

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
    for name in designs.NAMES:
        np.testing.assert_allclose(recursion.predict(sizes(name), [np.zeros(5, int)]), 1, atol=1e-4)


def test_the_kernel_is_that_of_the_model():
    u = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(recursion._kernel(u), torch.nn.functional.elu(torch.tensor(u)) + 1)
    assert LinearAttention.__doc__.count("elu(u) + 1") == 1


def test_texts_are_averaged():
    a = sizes("post-norm")
    both = recursion.predict(a, [IDS, IDS[:5]], draws=1)
    assert both[0] == pytest.approx(np.mean([recursion.predict(a, [ids])[0] for ids in (IDS, IDS[:5])]))


def test_what_is_not_covered_is_refused():
    with pytest.raises(ValueError, match="does not cover olmoe"):
        sizes("experts")
    with pytest.raises(ValueError, match="at least 2 tokens"):
        recursion.predict(sizes("pre-norm"), [IDS[:1]])
