"""Each block against the formula of its source, written with its own parts."""

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from decondense import hooks
from decondense.models.variants import designs
from decondense.models.variants.blocks import MIXED

SHAPE = {"width": 16, "blocks": 2, "heads": 2, "mlp": 24, "initializer": 0.2}
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])


@torch.no_grad()
def entries_of(name):
    """A model whose norms have gains, its states, and what attention of a block gives for an input."""
    model = designs.model(name, SHAPE, 12, seed=0).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5)
    with hooks.residual_stream(model) as entries:
        model(input_ids=IDS)
    positions = model.model.rotary_emb(entries[0], position_ids=torch.arange(8)[None])
    attend = lambda block, x: block.self_attn(hidden_states=x, position_embeddings=positions, attention_mask=None)[0]
    return model, entries, attend


def norm(x, gain):
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * gain.weight


@torch.no_grad()
@pytest.mark.parametrize("name", ["pre-norm", "embedding norm", "post-norm", "sandwich norm", "parallel"])
def test_a_block_is_the_formula_of_its_source(name):
    model, entries, attend = entries_of(name)
    block, x = model.model.layers[0], entries[0]
    first = lambda x: norm(x, block.input_layernorm)
    second = lambda x: norm(x, block.post_attention_layernorm)
    if name in ("pre-norm", "embedding norm"):
        y = x + attend(block, first(x))
        y = y + block.mlp(second(y))
    elif name == "post-norm":
        y = first(x + attend(block, x))
        y = second(y + block.mlp(y))
    elif name == "sandwich norm":
        y = x + norm(attend(block, first(x)), block.attention_output_norm)
        y = y + norm(block.mlp(second(y)), block.mlp_output_norm)
    else:
        y = x + attend(block, first(x)) + block.mlp(first(x))
    torch.testing.assert_close(entries[1], y, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_embedding_is_mixed_in_before_each_block():
    model, _, attend = entries_of("embedding mix")
    block = model.model.layers[1]
    block.kept.fill_(0.7)
    block.mixed.fill_(0.4)
    with hooks.residual_stream(model) as entries:
        model(input_ids=IDS)
    x = 0.7 * entries[1] + 0.4 * entries[0]
    y = x + attend(block, norm(x, block.input_layernorm))
    y = y + block.mlp(norm(y, block.post_attention_layernorm))
    torch.testing.assert_close(norm(y, model.model.norm), entries[2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(entries[0], norm(model.model.embed_tokens(IDS), model.model.embedding_norm))
    assert designs.model("embedding mix", SHAPE, 12, 0).model.layers[0].mixed.item() == pytest.approx(MIXED)


@torch.no_grad()
def test_layer_norms_and_biases_are_where_they_should():
    model, entries, attend = entries_of("LayerNorm and biases")
    block, x = model.model.layers[0], entries[0]
    centred = lambda x: x - x.mean(-1, keepdim=True)
    layer = lambda x, part: centred(x) / (centred(x).square().mean(-1, keepdim=True) + 1e-6).sqrt() * part.weight
    first = layer(x, block.input_layernorm) + block.input_layernorm.bias
    y = x + attend(block, first)
    y = y + block.mlp(layer(y, block.post_attention_layernorm) + block.post_attention_layernorm.bias)
    torch.testing.assert_close(entries[1], y, rtol=1e-4, atol=1e-5)
    assert block.self_attn.q_proj.bias is not None
    assert block.mlp.down_proj.bias is not None


@torch.no_grad()
def test_the_own_pre_norm_is_llama():
    from decondense.models.variants.model import VariantConfig, VariantForCausalLM

    theirs = designs.model("pre-norm", SHAPE, 12, 0).eval()
    assert isinstance(theirs.model.layers[0], LlamaDecoderLayer)
    ours = VariantForCausalLM(VariantConfig(**theirs.config.to_dict() | {"block": "pre"})).eval()
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(input_ids=IDS).logits, theirs(input_ids=IDS).logits)


def test_a_post_norm_stream_has_the_size_of_its_gains():
    with hooks.residual_stream(model := designs.model("post-norm", SHAPE, 12, 0)) as entries:
        model(input_ids=IDS)
    torch.testing.assert_close(entries[2].square().mean(-1), torch.ones(2, 8), rtol=1e-3, atol=1e-3)
