"""nGPT against its formulas: lengths of 1, the moves, the scales, and what a step leaves."""

import torch
from torch.nn.functional import normalize
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from decondense import hooks
from decondense.models.variants import designs, sphere

SHAPE = {"width": 16, "blocks": 2, "heads": 2, "mlp": 24, "initializer": 0.2}
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


def model_of(seed=0):
    return designs.model("hyperspherical", SHAPE, 12, seed).eval()


def assert_unit(model):
    for block in model.model.layers:
        for part, axis in (("q_proj", 1), ("k_proj", 1), ("v_proj", 1), ("o_proj", 0)):
            weight = getattr(block.self_attn, part).weight
            torch.testing.assert_close(weight.norm(dim=axis), torch.ones(16))
        for part, axis in (("up_proj", 1), ("gate_proj", 1), ("down_proj", 0)):
            lengths = getattr(block.mlp, part).weight.norm(dim=axis)
            torch.testing.assert_close(lengths, torch.ones_like(lengths))
    torch.testing.assert_close(model.lm_head.weight.norm(dim=1), torch.ones(12))


def test_weights_and_states_have_length_1_before_and_after_a_step():
    model = model_of()
    assert_unit(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(input_ids=IDS, labels=IDS).loss.backward()
    optimizer.step()
    sphere.unit(model)
    assert_unit(model)
    with hooks.residual_stream(model) as entries:
        model(input_ids=IDS)
    for hidden in entries.values():
        torch.testing.assert_close(hidden.norm(dim=-1), torch.ones(1, 8))


@torch.no_grad()
def test_a_block_is_the_formula():
    model, d = model_of(), 16
    block = model.model.layers[0]
    for part in (block.alpha_attention, block.alpha_mlp, block.self_attn.s_qk, block.mlp.s_u, block.mlp.s_v):
        part.weight.mul_(torch.rand_like(part.weight) + 0.5)
    with hooks.residual_stream(model) as entries:
        model(input_ids=IDS)
    h = entries[0]
    q, k, v = (part(h).view(1, 8, 2, 8).transpose(1, 2) for part in
               (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj))  # fmt: skip
    q, k = apply_rotary_pos_emb(q, k, *model.model.rotary_emb(h, position_ids=torch.arange(8)[None]))
    s_qk = (block.self_attn.s_qk.weight * d**0.5).view(2, 1, 8)
    scores = 8**0.5 * (normalize(q, dim=-1) * s_qk) @ (normalize(k, dim=-1) * s_qk).mT
    scores = scores.masked_fill(torch.ones(8, 8).triu(1).bool(), -torch.inf)
    found = block.self_attn.o_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    h = normalize(h + 0.05 * block.alpha_attention.weight * d**0.5 * (normalize(found, dim=-1) - h), dim=-1)
    u = block.mlp.s_u.weight * block.mlp.up_proj(h)
    gate = block.mlp.s_v.weight * d**0.5 * block.mlp.gate_proj(h)
    found = block.mlp.down_proj(u * gate * gate.sigmoid())
    h = normalize(h + 0.05 * block.alpha_mlp.weight * d**0.5 * (normalize(found, dim=-1) - h), dim=-1)
    torch.testing.assert_close(entries[1], h, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_logits_are_cosines_times_s_z():
    model = model_of()
    model.lm_head.s_z.weight.uniform_(0.1, 0.5)
    states = model.model(input_ids=IDS).last_hidden_state
    wanted = states @ model.model.embed_tokens.weight.T * model.lm_head.s_z.weight * 4
    torch.testing.assert_close(model(input_ids=IDS).logits, wanted)


def test_a_scale_begins_where_it_is_told():
    made = sphere.Scaled(3, 0.05, 0.25)
    torch.testing.assert_close(made(), torch.full((3,), 0.05))
    torch.testing.assert_close(made.weight.detach(), torch.full((3,), 0.25))
