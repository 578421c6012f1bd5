"""Weights rounded to few bits: beside a loop over blocks, within half a step, layer by layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import tiny

from decondense.models import quantise


def by_hand(weights, bits, block):
    """The formula, block after block, number after number."""
    found = weights.clone()
    for row in range(len(weights)):
        for start in range(0, weights.shape[1], block):
            part = weights[row, start : start + block]
            step = max(abs(float(value)) for value in part) / (2 ** (bits - 1) - 1)
            found[row, start : start + block] = torch.tensor(
                [step * round(float(v) / step) if step else 0.0 for v in part]
            )
    return found


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000), bits=st.integers(2, 8), outputs=st.integers(1, 4), inputs=st.integers(1, 75),
    block=st.sampled_from([1, 8, 32]),
)  # fmt: skip
def test_rounded_is_the_formula_of_every_block(seed, bits, outputs, inputs, block):
    weights = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(quantise.rounded(weights, bits, block), by_hand(weights, bits, block), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", quantise.BITS)
def test_no_weight_moves_by_more_than_half_a_step_and_the_largest_stays(bits):
    weights = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    found = quantise.rounded(weights, bits)
    blocks, moved = (values.unflatten(1, (-1, 32)) for values in (weights, found - weights))
    largest = blocks.abs().amax(2)
    assert (moved.abs().amax(2) <= largest / (2 ** (bits - 1) - 1) / 2 + 1e-6).all()
    assert torch.allclose(found.unflatten(1, (-1, 32)).abs().amax(2), largest)
    assert max(len(block.unique()) for block in found.reshape(-1, 32)) <= 2**bits - 1


def test_eight_bits_are_nearly_all_and_two_bits_are_three_levels():
    weights = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    assert ((quantise.rounded(weights, 8) - weights).norm() / weights.norm()) < 0.01
    assert quantise.rounded(torch.tensor([[-2.0, -0.9, 0.9, 1.1]]), 2).tolist() == [[-2.0, 0.0, 0.0, 2.0]]


def test_blocks_do_not_touch_each_other():
    weights = torch.randn(2, 80, generator=torch.Generator().manual_seed(0))
    other = weights.clone()
    other[0, 40] = 100.0
    changed = quantise.rounded(weights, 4) != quantise.rounded(other, 4)
    assert changed[0, 32:64].any()
    changed[0, 32:64] = False
    assert not changed.any()


def test_zeros_stay_and_the_dtype_stays():
    assert quantise.rounded(torch.zeros(2, 40), 3).abs().max() == 0
    assert quantise.rounded(torch.ones(2, 40, dtype=torch.bfloat16), 3).dtype == torch.bfloat16


@pytest.mark.parametrize("bits", [0, 1, 9, 32])
def test_bits_that_no_rounding_has(bits):
    with pytest.raises(ValueError, match=rf"^Weights are rounded to 2 to 8 bits, got {bits}\.$"):
        quantise.quantise_(nn.Linear(4, 4), bits)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_matrices_are_rounded_along_their_inputs_and_all_else_stays(architecture):
    model = tiny(architecture)
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    assert quantise.quantise_(model, 3) is model
    for name, weights in model.named_parameters():
        turned = architecture == "gpt2" and ".h." in name  # Conv1D has its inputs first
        if weights.ndim == 1:
            expected = before[name]
        else:
            expected = quantise.rounded(before[name].T, 3).T if turned else quantise.rounded(before[name], 3)
        assert torch.equal(weights, expected), name


def test_a_matrix_of_two_layers_is_rounded_once(monkeypatch):
    model = tiny("gpt2")
    asked = []
    monkeypatch.setattr(quantise, "rounded", lambda weights, bits: asked.append(weights.data_ptr()) or weights)
    quantise.quantise_(model, 4)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert asked.count(model.lm_head.weight.data_ptr()) == 1
    assert len(asked) == len([weights for weights in model.parameters() if weights.ndim > 1])


def test_weights_of_another_kind_are_refused_before_anything_is_rounded():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.experts = nn.Parameter(torch.randn(2, 4, 4))

    model = Experts()
    before = model.first.weight.clone()
    with pytest.raises(ValueError, match=r"^experts is no weight of a linear layer or an embedding"):
        quantise.quantise_(model, 4)
    assert torch.equal(model.first.weight, before)
