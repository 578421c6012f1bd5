"""Training with rounding: the forward pass is that of the rounded model, and gradients pass straight through."""

import copy

import pytest
import torch
from torch import nn
from toys import tiny

from decondense.quantise import TERNARY, Scheme, aware_, layers, quantised, rounded

IDS = torch.arange(24).view(2, 12)
SCHEME = Scheme(bits=TERNARY, activations=8)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_it_computes_what_the_rounded_model_computes(name):
    model = tiny(name)
    aware = aware_(copy.deepcopy(model), SCHEME)
    with torch.no_grad(), quantised(model, SCHEME):
        torch.testing.assert_close(aware(input_ids=IDS).logits, model(input_ids=IDS).logits)


def test_the_gradient_is_that_at_the_rounded_weights():
    layer, x = nn.Linear(8, 4), torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    there = rounded(layer.weight.detach(), 3).requires_grad_()
    (wanted,) = torch.autograd.grad((x @ there.T + layer.bias.detach()).square().sum(), there)
    aware_(nn.Sequential(layer), Scheme(bits=3))
    layer(x).square().sum().backward()
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, wanted)


def test_the_inputs_get_the_gradient_of_the_rounded_inputs():
    layer = nn.Linear(8, 4)
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    w = rounded(layer.weight.detach(), 4)
    aware_(nn.Sequential(layer), Scheme(bits=4, activations=8))
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, w.sum(0).expand(5, 8))


def test_it_descends():
    torch.manual_seed(0)
    model, ids = aware_(tiny("gpt2"), SCHEME), IDS
    optimizer, losses = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(30):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_the_weights_that_are_computed_with_have_three_levels():
    model = tiny("gpt2")
    kept = {name: module.weight.detach().clone() for name, module in layers(model).rounded.items()}
    aware_(model, SCHEME)
    for name, before in kept.items():
        module = model.get_submodule(name)
        assert len(module.weight.unique()) == 3
        assert torch.equal(module.parametrizations.weight.original, before)


def test_a_model_is_made_aware_once():
    with pytest.raises(ValueError, match=r"transformer.h.0.attn.c_attn is rounded in training already"):
        aware_(aware_(tiny("gpt2"), SCHEME), SCHEME)


@pytest.mark.parametrize("scheme", [Scheme(bits=None, activations=8), Scheme(bits=4, rotated=True)])
def test_a_scheme_that_training_has_no_rule_for_is_refused(scheme):
    with pytest.raises(ValueError, match="rounds weights and does not rotate"):
        aware_(tiny("gpt2"), scheme)
