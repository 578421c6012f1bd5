"""A model is rounded layer by layer, and is as before afterwards; a rotation alone changes nothing."""

import copy

import pytest
import torch
from torch import nn
from toys import tiny

from decondense.quantise import TERNARY, Scheme, layers, quantise_, quantised, rotated, rounded

IDS = torch.arange(24).view(2, 12)


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "llama", "bloom", "gemma-3"])
def test_every_linear_layer_is_rounded_and_nothing_else(name):
    model = tiny(name)
    before = copy.deepcopy(model.state_dict())
    quantise_(model, Scheme(bits=4))
    for key, now in model.state_dict().items():
        module = model.get_submodule(key.rpartition(".")[0])
        is_rounded = key.endswith("weight") and key.removesuffix(".weight") in layers(model).rounded
        if is_rounded:
            turn = (lambda w: w) if isinstance(module, nn.Linear) else (lambda w: w.T)
            assert torch.equal(turn(now), rounded(turn(before[key]), 4))
        else:
            assert torch.equal(now, before[key]), key


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "gemma-3"])
def test_a_rotation_leaves_the_logits_of_an_unrounded_model(name):
    model = tiny(name)
    plain = logits(model)
    with quantised(model, Scheme(bits=None, rotated=True, seed=3)):
        assert not torch.equal(logits(model), plain)
        torch.testing.assert_close(logits(model), plain, rtol=0, atol=1e-4)


@pytest.mark.parametrize("scheme", [
    Scheme(bits=3), Scheme(bits=4, group=8, rotated=True), Scheme(bits=TERNARY, activations=8),
    Scheme(bits=None, activations=4),
])  # fmt: skip
def test_the_model_is_as_before_afterwards(scheme):
    model = tiny("gpt2")
    before, weights = logits(model), copy.deepcopy(model.state_dict())
    with quantised(model, scheme):
        assert (logits(model) - before).abs().max() > 1e-4
    assert torch.equal(logits(model), before)
    assert all(torch.equal(now, weights[key]) for key, now in model.state_dict().items())


def test_the_model_is_as_before_after_an_error():
    model = tiny("gpt2")
    before = logits(model)
    with pytest.raises(KeyError), quantised(model, Scheme(bits=2, activations=8)):
        raise KeyError
    assert torch.equal(logits(model), before)


def test_more_bits_lose_less():
    model = tiny("qwen3")
    plain, apart = logits(model), []
    for bits in (16, 8, 4, 2):
        with quantised(model, Scheme(bits=bits, activations=bits)):
            apart.append(float((logits(model) - plain).norm()))
    assert apart == sorted(apart)
    assert apart[0] < 1e-2 * apart[-1]


def test_a_rotation_spreads_an_outlier():
    w = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    w[:, 5] *= 30
    error = lambda x: float((rounded(x, 4) - x).norm())
    assert error(rotated(w)) < 0.5 * error(w)


@pytest.mark.parametrize("n", [2, 12, 64, 576])
def test_a_rotation_keeps_every_product(n):
    x = torch.randn(7, n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(rotated(x, 4) @ rotated(x, 4).T, x @ x.T)
    assert not torch.allclose(rotated(x, 4), rotated(x, 5))


# --- which layers -----------------------------------------------------------------------------------------------------


def test_embeddings_and_head_are_left_and_named():
    found = layers(tiny("gpt2"))
    assert found.left == {"transformer.wte": "an embedding", "transformer.wpe": "an embedding", "lm_head": "the head"}
    assert len(found.rounded) == 3 * 4
    model = tiny("gpt2")
    assert found.share == pytest.approx(3 * 12 * 32**2 / sum(p.numel() for p in model.parameters()))


class Mixed(nn.Module):
    """A linear layer, one that shares an embedding, and two without a rule."""

    def __init__(self):
        super().__init__()
        self.words, self.again, self.one = nn.Embedding(8, 4), nn.Linear(4, 8), nn.Linear(4, 6)
        self.again.weight = self.words.weight
        self.conv = nn.Conv1d(4, 4, 3)
        self.experts = nn.ParameterDict({"up": torch.ones(2, 4, 4)})


def test_layers_of_another_kind_are_left_named_and_counted():
    found = layers(Mixed())
    assert list(found.rounded) == ["one"]
    assert found.left == {
        "words": "an embedding", "again": "shares its weights with an embedding", "conv": "Conv1d has no rule",
        "experts": "ParameterDict has no rule",
    }  # fmt: skip


def test_a_matrix_of_two_layers_is_rounded_once():
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    wanted = rounded(rotated(first.weight.detach().double()), 3).float()
    quantise_(model, Scheme(bits=3, rotated=True))
    assert torch.equal(first.weight.detach(), wanted)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_model_without_a_linear_layer_is_refused():
    with pytest.raises(ValueError, match=r"Embedding has no linear layer to round; left: \{'': 'an embed"):
        quantise_(nn.Embedding(4, 4), Scheme(bits=4))


def test_a_group_that_divides_no_layer_names_it_and_changes_nothing():
    model = tiny("gpt2")
    before = logits(model)
    with pytest.raises(ValueError, match=r"Groups of 24 do not divide the 32 inputs of transformer.h.0.attn.c_attn"):
        quantise_(model, Scheme(bits=4, group=24))
    assert torch.equal(logits(model), before)


def test_an_odd_width_is_not_rotated():
    with pytest.raises(ValueError, match="The 7 inputs of 0 are an odd number"):
        quantise_(nn.Sequential(nn.Linear(7, 2)), Scheme(bits=4, rotated=True))


def test_weights_that_are_not_finite_are_named():
    model = tiny("gpt2")
    model.transformer.h[1].mlp.c_fc.weight.data[0, 0] = torch.inf
    with pytest.raises(ValueError, match=r"weights of transformer.h.1.mlp.c_fc are not all finite"):
        quantise_(model, Scheme(bits=4))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"bits": 1}, "bits must be 1.58"), ({"bits": 20}, "from 2 to 16, got 20"), ({"bits": 3.5}, "got 3.5"),
        ({"activations": 1}, "bits must be a whole number from 2 to 16"), ({"group": 1}, "2 weights or more"),
    ],
)  # fmt: skip
def test_a_scheme_out_of_range_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        Scheme(**asked)


@pytest.mark.parametrize(
    ("scheme", "label"),
    [
        (Scheme(bits=4), "W4"), (Scheme(bits=TERNARY, activations=8), "ternary A8"),
        (Scheme(bits=4, activations=4, group=32, rotated=True), "W4 A4 by 32, rotated"),
        (Scheme(bits=None), "as it is"),
    ],
)  # fmt: skip
def test_a_scheme_has_a_name(scheme, label):
    assert scheme.label == label
