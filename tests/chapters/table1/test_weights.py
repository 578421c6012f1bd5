"""Tokens that a spring holds and a loss pushes: where the two are in balance."""

import pytest
import torch

from decondense import metrics
from decondense.chapters.table1 import weights
from decondense.losses import forces

CLOUD = forces.cloud(12)


def cosine(z):
    return float(metrics.mean_cosine(z).off_diagonal)


def test_without_weight_the_tokens_stay_where_they_are():
    torch.testing.assert_close(weights.held("dispersion", CLOUD, 0), CLOUD)


@pytest.mark.parametrize("name", ["dispersion", "decorrelation", "orthogonalization"])
def test_spring_and_push_are_in_balance(name):
    z = weights.held(name, CLOUD, 0.3)
    pull, push = CLOUD - z, 0.3 * len(CLOUD) * forces.force(name, z)
    assert pull.norm() > 0.01
    torch.testing.assert_close(push, -pull, atol=1e-4, rtol=0)


def test_one_step_goes_along_both():
    """The first step has no pull; the step is divided by one plus the weight."""
    z = weights.held("dispersion", CLOUD, 3.0, steps=1, rate=0.1)
    torch.testing.assert_close(z - CLOUD, 0.1 / 4 * 3 * 12 * forces.force("dispersion", CLOUD))


def test_the_larger_the_weight_of_dispersion_the_wider_the_cone():
    found = weights.over_weights(["dispersion", "l2_repel"], CLOUD, (0, 0.1, 0.3, 1))
    assert list(found) == [0, 0.1, 0.3, 1]
    for name in ("dispersion", "l2_repel"):
        cosines = [cosine(tokens[name]) for tokens in found.values()]
        assert cosines == sorted(cosines, reverse=True)
        assert cosines[0] - cosines[-1] > 0.2
