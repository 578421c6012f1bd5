"""Linear attention is a state that grows from token to token, and looks at nothing that comes later."""

import torch

from decondense.models.variants import designs
from decondense.models.variants.linear import LinearAttention

SHAPE = {"width": 16, "blocks": 6, "heads": 2, "mlp": 24, "initializer": 0.2}


def phi(u):
    return torch.where(u > 0, u + 1, u.exp())


@torch.no_grad()
def test_the_product_is_the_recurrence():
    config = designs.config("linear hybrid", SHAPE, 12)
    layer = LinearAttention(config, 0).double()
    x = torch.randn(1, 9, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q, k, v = (part(x)[0].view(9, 2, 8) for part in (layer.q_proj, layer.k_proj, layer.v_proj))
    made = torch.zeros(9, 2, 8, dtype=torch.float64)
    for head in range(2):
        state, total = torch.zeros(8, 8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
        for i in range(9):
            state += torch.outer(phi(k[i, head]), v[i, head])
            total += phi(k[i, head])
            made[i, head] = phi(q[i, head]) @ state / (phi(q[i, head]) @ total)
    torch.testing.assert_close(layer(x)[0][0], layer.o_proj(made.flatten(1)))


@torch.no_grad()
def test_padding_on_the_right_changes_nothing_before_it():
    model = designs.model("linear hybrid", SHAPE, 12, 0).eval()
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 5 + [0] * 3])
    found = model(input_ids=padded, attention_mask=mask).logits[:, :5]
    torch.testing.assert_close(found, model(input_ids=ids).logits, rtol=1e-4, atol=1e-5)


def test_the_last_of_three_blocks_keeps_softmax():
    kinds = [isinstance(block.self_attn, LinearAttention) for block in
             designs.model("linear hybrid", SHAPE, 12, 0).model.layers]  # fmt: skip
    assert kinds == [True, True, False, True, True, False]
