"""A selective state space is its recurrence, is that of Transformers, and looks at nothing that comes later."""

import numpy as np
import pytest
import torch
from transformers import Mamba2Config
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

from decondense.models.variants import designs
from decondense.models.variants.state_space import RATES, STEPS, StateSpace, scan

SHAPE = {"width": 16, "blocks": 6, "heads": 2, "mlp": 24, "initializer": 0.2}
NAME = "state-space hybrid"


def layer(seed=0, **change):
    return designs.model(NAME, SHAPE | change, 12, seed).eval().model.layers[0].self_attn


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


def test_the_product_is_the_recurrence():
    x, log_decays, b, c = drawn(1, 2, 9, 8), -drawn(1, 2, 9).exp(), drawn(1, 9, 5), drawn(1, 9, 5).flip(1)
    made = torch.zeros_like(x)
    for head in range(2):
        state = torch.zeros(5, 8, dtype=torch.float64)
        for t in range(9):
            state = log_decays[0, head, t].exp() * state + torch.outer(b[0, t], x[0, head, t])
            made[0, head, t] = c[0, t] @ state
    torch.testing.assert_close(scan(x, log_decays, b, c), made)


def test_what_is_forgotten_at_once_leaves_no_trace():
    x, b, c = drawn(1, 1, 60, 3), drawn(1, 60, 4), drawn(1, 60, 4)
    log_decays = torch.full((1, 1, 60), -1e4, requires_grad=True, dtype=torch.float64)
    found = scan(x, log_decays, b, c)
    torch.testing.assert_close(found[0, 0], (b * c).sum(-1)[0, :, None] * x[0, 0])
    found.sum().backward()
    assert log_decays.grad.isfinite().all()


@torch.no_grad()
def test_the_layer_is_that_of_transformers():
    ours, sizes = layer(), {"num_heads": 2, "head_dim": 8, "hidden_size": 16, "state_size": 8, "n_groups": 1}
    config = Mamba2Config(**sizes, expand=1, conv_kernel=4, chunk_size=4, num_hidden_layers=1, layer_norm_epsilon=1e-6)
    theirs = Mamba2Mixer(config, 0).eval()
    names = {"convolution": "conv1d", "delta_bias": "dt_bias"}
    weights = {".".join(names.get(part, part) for part in name.split(".")): w for name, w in ours.state_dict().items()}
    theirs.load_state_dict(weights)
    x = drawn(2, 11, 16, dtype=torch.float32)
    torch.testing.assert_close(ours(x)[0], theirs(x))


@torch.no_grad()
def test_padding_on_the_right_changes_nothing_before_it():
    model = designs.model(NAME, SHAPE, 12, 0).eval()
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 5 + [0] * 3])
    found = model(input_ids=padded, attention_mask=mask).logits[:, :5]
    torch.testing.assert_close(found, model(input_ids=ids).logits, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_first_values_are_those_of_the_paper():
    made = layer(width=1024, heads=512, blocks=1)
    delta, rates = torch.nn.functional.softplus(made.delta_bias), made.A_log.exp()
    for values, (low, high) in ((delta.log(), np.log(STEPS)), (rates, RATES)):
        assert low <= values.min() <= values.max() <= high * (1 + 1e-6)
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
        assert values.std() == pytest.approx((high - low) / 12**0.5, rel=0.1)
    assert (made.D == 1).all()
    assert made.convolution.weight.abs().max() == pytest.approx(0.5, rel=0.02)
    assert made.in_proj.weight.std() == pytest.approx(0.2, rel=0.02)


def test_the_last_of_three_blocks_keeps_softmax():
    model = designs.model(NAME, SHAPE, 12, 0)
    assert [isinstance(block.self_attn, StateSpace) for block in model.model.layers] == [True, True, False] * 2
