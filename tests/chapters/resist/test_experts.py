"""What an expert sees, by brute force in float64."""

from itertools import permutations

import pytest
import torch

from decondense.chapters.resist import experts
from decondense.models.variants import designs

SHAPE = {"width": 16, "blocks": 2, "heads": 2, "mlp": 24, "initializer": 0.2}


def by_hand(vectors):
    pairs = list(permutations(range(len(vectors)), 2))
    return sum(torch.cosine_similarity(vectors[i], vectors[j], dim=0) for i, j in pairs) / len(pairs)


def test_the_means_are_those_of_all_pairs():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(12, 5, dtype=torch.float64, generator=generator) + 0.5
    chosen = torch.stack([torch.randperm(4, generator=generator)[:2] for _ in range(12)])
    found = experts.of_experts(hidden, chosen)
    seen = [hidden[(chosen == expert).any(1)] for expert in range(4)]
    weights = [len(each) for each in seen]
    wanted = sum(w * by_hand(each) for w, each in zip(weights, seen, strict=True)) / sum(weights)
    assert found["expert"] == pytest.approx(float(wanted), abs=1e-12)
    assert found["all"] == pytest.approx(float(by_hand(hidden)), abs=1e-12)
    assert found["largest"] == max(weights) / 12


def test_experts_that_sort_see_what_is_alike():
    hidden = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [-1, 0]])
    found = experts.of_experts(hidden, torch.tensor([[0], [0], [1], [1], [2]]))
    assert found["expert"] == pytest.approx(1)  # the one that sees a single token has no pair
    assert found["all"] == pytest.approx((2 + 2 - 4) / 20)


def test_every_block_of_a_mixture_is_read():
    model = designs.model("experts", SHAPE, 12, seed=0).eval()
    rows = torch.arange(24).view(3, 8) % 12
    count = lambda: sum(len(block.mlp.gate._forward_hooks) for block in model.model.layers)
    model(input_ids=rows)  # its own hooks come with the first pass
    before = count()
    found = experts.alike(model, rows)
    assert [len(values) for values in found.values()] == [2, 2, 2]
    assert all(2 / 8 <= share <= 1 for share in found["largest"])
    assert count() == before


def test_a_model_without_a_router_is_refused():
    with pytest.raises(ValueError, match="give a mixture of experts"):
        experts.alike(designs.model("pre-norm", SHAPE, 12, 0), torch.zeros(1, 4, dtype=torch.long))
