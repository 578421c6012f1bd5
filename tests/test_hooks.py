"""The residual stream seen by hooks is the one that Hugging Face returns as `hidden_states`."""

import gc
import weakref

import pytest
import torch
import transformers
from toys import LAYERS, TINY, VOCABULARY, WIDTH, tiny

from decondense import hooks

IDS = torch.arange(24).reshape(2, 12)


def all_hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("name", TINY)
def test_entries_are_the_hidden_states(name):
    model = tiny(name)
    with torch.inference_mode():
        with hooks.residual_stream(model, lambda _, hidden: hidden.clone()) as found:
            model(IDS)
        expected = model(IDS, output_hidden_states=True).hidden_states
    assert list(found) == list(range(LAYERS + 1))
    assert hooks.n_entries(model) == len(expected) == LAYERS + 1
    for entry, hidden in enumerate(expected):
        torch.testing.assert_close(found[entry], hidden, rtol=0, atol=1e-6)


def test_entries_are_the_same_when_the_backbone_runs_alone(tiny_gpt2):
    with torch.inference_mode(), hooks.residual_stream(tiny_gpt2, lambda _, hidden: hidden.clone()) as found:
        tiny_gpt2(IDS)
        with_head = dict(found)
        hooks.backbone(tiny_gpt2)(IDS)
    assert all(torch.equal(found[entry], with_head[entry]) for entry in range(LAYERS + 1))


def test_a_tuple_as_output_gives_the_same(tiny_gpt2):
    with torch.inference_mode(), hooks.residual_stream(tiny_gpt2, lambda _, hidden: hidden.clone()) as found:
        last = tiny_gpt2.transformer(IDS, return_dict=False)[0]
    assert torch.equal(found[LAYERS], last)


def test_last_entry_is_after_the_final_norm(tiny_gpt2):
    bare = []
    handle = tiny_gpt2.transformer.h[-1].register_forward_hook(lambda _m, _a, out: bare.append(out))
    try:
        with torch.no_grad(), hooks.residual_stream(tiny_gpt2, lambda _, hidden: hidden.clone()) as found:
            tiny_gpt2(IDS)
    finally:
        handle.remove()
    out = bare[0][0] if isinstance(bare[0], tuple) else bare[0]
    assert not torch.allclose(found[LAYERS], out, atol=1e-2)
    torch.testing.assert_close(found[LAYERS], tiny_gpt2.transformer.ln_f(out))


@pytest.mark.parametrize("name", TINY)
def test_the_output_of_the_last_block_is_one_row_more(name):
    model, bare = tiny(name), []
    hooks.blocks(model)[-1].register_forward_hook(lambda _m, _a, out: bare.append(out))
    with torch.no_grad(), hooks.residual_stream(model, last_block=True) as found:
        model(IDS)
    assert list(found) == [*range(LAYERS), LAYERS + 1, LAYERS]
    assert torch.equal(found[LAYERS + 1], bare[0][0] if isinstance(bare[0], tuple) else bare[0])


def test_without_a_final_norm_it_is_the_last_entry():
    with torch.no_grad(), hooks.residual_stream(model := tiny("bert"), last_block=True) as found:
        model(IDS)
    assert torch.equal(found[LAYERS + 1], found[LAYERS])


def test_reduce_sees_entry_and_hidden_state(tiny_gpt2):
    with torch.inference_mode(), hooks.residual_stream(tiny_gpt2, lambda entry, h: (entry, *h.shape)) as found:
        tiny_gpt2(IDS)
    assert found == {entry: (entry, 2, 12, WIDTH) for entry in range(LAYERS + 1)}


def test_the_next_forward_pass_replaces_the_results(tiny_gpt2):
    with torch.inference_mode(), hooks.residual_stream(tiny_gpt2, lambda _, hidden: hidden.shape[1]) as found:
        tiny_gpt2(IDS)
        tiny_gpt2(IDS[:, :5])
    assert set(found.values()) == {5}


def test_no_hidden_state_is_kept(tiny_gpt2):
    seen = []

    def reduce(_entry, hidden):
        seen.append(weakref.ref(hidden))
        return hidden.mean().item()

    with torch.inference_mode(), hooks.residual_stream(tiny_gpt2, reduce) as found:
        tiny_gpt2(IDS)
        gc.collect()
        alive_inside = [ref() for ref in seen]
    assert len(seen) == LAYERS + 1
    assert alive_inside == [None] * len(seen)
    assert all(type(value) is float for value in found.values())


def test_hooks_are_gone_after_the_context(tiny_gpt2):
    before = all_hooks(tiny_gpt2)
    with hooks.residual_stream(tiny_gpt2, lambda *_: None):
        assert all_hooks(tiny_gpt2) > before
        tiny_gpt2(IDS)
    assert all_hooks(tiny_gpt2) == before


def test_hooks_are_gone_after_an_exception(tiny_gpt2):
    before = all_hooks(tiny_gpt2)

    def broken(*_):
        raise KeyError("reduce is broken")

    with pytest.raises(KeyError, match="reduce is broken"), hooks.residual_stream(tiny_gpt2, broken):
        tiny_gpt2(IDS)
    assert all_hooks(tiny_gpt2) == before


def test_gradients_flow_through_what_reduce_returns():
    model = tiny("gpt2")
    with hooks.residual_stream(model, lambda _, hidden: hidden.square().mean()) as found:
        model(IDS)
    found[1].backward()  # the first block's output
    assert model.transformer.h[0].mlp.c_fc.weight.grad.abs().sum() > 0
    assert model.transformer.h[1].mlp.c_fc.weight.grad is None


def test_wrappers_are_taken_off(tiny_gpt2):
    class Wrapped(torch.nn.Module):
        def __init__(self, name):
            super().__init__()
            setattr(self, name, tiny_gpt2)

    for name in ("module", "_orig_mod"):
        assert hooks.backbone(Wrapped(name)) is tiny_gpt2.transformer
        assert hooks.n_entries(Wrapped(name)) == LAYERS + 1


def t5():
    shape = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 2, "vocab_size": VOCABULARY, "num_layers": LAYERS}
    return transformers.T5ForConditionalGeneration(transformers.T5Config(**shape)).eval()


def bart():
    sides = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in (("layers", 3), ("ffn_dim", 16))}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.BartConfig(d_model=16, vocab_size=VOCABULARY, max_position_embeddings=64, **sides, **heads)
    return transformers.BartForConditionalGeneration(config).eval()


@pytest.mark.parametrize("make", [t5, bart])
def test_an_encoder_decoder_is_refused_and_its_encoder_is_not(make):
    model = make()
    with pytest.raises(ValueError, match=rf"{type(model).__name__} is an encoder-decoder.*get_encoder"):
        hooks.blocks(model)
    encoder = model.get_encoder()
    with torch.inference_mode(), hooks.residual_stream(encoder, lambda _, hidden: hidden.clone()) as found:
        expected = encoder(IDS, output_hidden_states=True).hidden_states
    assert len(found) == len(expected) == LAYERS + 1
    for entry, hidden in enumerate(expected):
        torch.testing.assert_close(found[entry], hidden, rtol=0, atol=1e-6)


def test_a_model_without_blocks_is_refused():
    with pytest.raises(ValueError, match="Found no Transformer blocks in Linear"):
        hooks.n_entries(torch.nn.Linear(2, 2))
