"""The streamed model against an ordinary one: the same forward pass, the same initialiser, one block in memory."""

import numpy as np
import pytest
import torch
import transformers
from toys import tiny

from decondense import hooks, measurement, metrics, models
from decondense.models import streaming

NAMES = ["gpt2", "qwen2", "qwen3", "bloom", "olmo-3"]
SLIDING = {"olmo-3": {"sliding_window": 8, "num_hidden_layers": 5}}  # shorter than the texts, so that the mask matters
TEXTS = np.random.default_rng(0).integers(0, 64, (3, 40)).tolist()


def like(ordinary):
    """Gives each module the weights of an ordinary model."""

    def fill(module, name):
        module.load_state_dict(ordinary.get_submodule(name).state_dict())
        for buffer, value in ordinary.get_submodule(name).named_buffers():  # those that no state dict holds
            module.get_buffer(buffer).copy_(value)

    return fill


@pytest.fixture(params=NAMES)
def ordinary(request):
    """A tiny backbone whose norms and biases are no longer 1 and 0."""
    model = hooks.backbone(tiny(request.param, **SLIDING.get(request.param, {})))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def measure(model, texts=TEXTS, **how):
    return measurement.measure(model, None, texts, max_length=40, progress=False, **how)


@pytest.mark.parametrize("tokens", [0, 1000])
def test_same_weights_give_the_same_geometry(ordinary, tokens):
    model = streaming.streamed(ordinary.config, fill=like(ordinary))
    found, expected = measure(model, batch_tokens=tokens), measure(ordinary)
    np.testing.assert_allclose(found.mu_per_text, expected.mu_per_text, atol=1e-5)
    np.testing.assert_allclose(found.mu_off_diagonal_per_text, expected.mu_off_diagonal_per_text, atol=1e-5)


def test_sliding_window_matters_in_that_test():
    model = hooks.backbone(tiny("olmo-3", **SLIDING["olmo-3"], pad_token_id=None))
    whole = type(model.config)(**model.config.to_dict() | {"sliding_window": 64})
    wide = streaming.streamed(whole, fill=like(model))
    assert np.abs(measure(wide).mu - measure(model).mu).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_buffers_are_those_of_an_ordinary_model(name):
    model = hooks.backbone(tiny(name))
    found = dict(streaming.streamed(model.config).named_buffers())
    assert found.keys() == dict(model.named_buffers()).keys()
    assert all(torch.equal(found[key], value) for key, value in model.named_buffers())


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_distribution_of_from_config(name):
    wide = {"gpt2": {"n_embd": 128}, "bloom": {"hidden_size": 128}}.get(name, {"hidden_size": 128})
    config = tiny(name, **wide).config
    torch.manual_seed(5)
    expected = dict(transformers.AutoModel.from_config(config).requires_grad_(False).named_parameters())
    drawn = everything(streaming.streamed(config, seed=1))
    assert drawn.keys() == expected.keys()
    for key, value in expected.items():
        error = 6 / np.sqrt(2 * value.numel())  # six standard errors of a standard deviation
        assert drawn[key].std() == pytest.approx(value.std(), rel=error), key
        assert drawn[key].mean() == pytest.approx(value.mean(), abs=8 * float(value.std()) / np.sqrt(value.numel()))


def everything(model):
    """All weights of a streamed model, caught in one forward pass."""
    caught = {key: value for key, value in model.named_parameters() if not value.is_meta}
    names = {module: name for name, module in model.named_modules()}
    catch = lambda block, _: caught.update({f"{names[block]}.{k}": v.clone() for k, v in block.named_parameters()})
    handles = [block.register_forward_pre_hook(catch) for block in hooks.blocks(model)]
    with torch.inference_mode():
        model(input_ids=torch.tensor(TEXTS[:1]), use_cache=False)
    for handle in handles:
        handle.remove()
    return caught


def test_gpt2_keeps_its_smaller_residual_weights():
    drawn = everything(streaming.streamed(tiny("gpt2", n_embd=128, n_layer=8).config))
    assert drawn["h.3.mlp.c_proj.weight"].std() == pytest.approx(0.02 / np.sqrt(16), rel=0.05)
    assert drawn["h.3.mlp.c_fc.weight"].std() == pytest.approx(0.02, rel=0.05)


def test_each_seed_and_block_has_weights_of_its_own_and_keeps_them():
    config = tiny("gpt2").config
    model = streaming.streamed(config, seed=1)
    first, again, other = everything(model), everything(model), everything(streaming.streamed(config, seed=2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    key = "mlp.c_fc.weight"
    assert not torch.equal(first[f"h.0.{key}"], first[f"h.1.{key}"])
    assert not torch.equal(first[f"h.0.{key}"], other[f"h.0.{key}"])
    assert not torch.equal(first["wte.weight"][:8], first["wpe.weight"][:8])


def test_the_global_random_state_is_left_alone():
    config = tiny("gpt2").config
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measure(streaming.streamed(config), TEXTS[:1])
    assert torch.equal(torch.rand(1), expected)


def test_one_block_exists_at_a_time():
    model = streaming.streamed(tiny("gpt2", n_layer=4).config)
    layers, seen = hooks.blocks(model), []
    exists = lambda: [not next(block.parameters()).is_meta for block in layers]
    assert exists() == [False] * 4
    for block in layers:
        block.register_forward_pre_hook(lambda *_: seen.append(exists()))
    measure(model, TEXTS[:1])
    assert seen == np.eye(4, dtype=bool).tolist()
    assert exists() == [False] * 4


def test_the_next_block_takes_over_the_memory_of_the_one_before():
    model = streaming.streamed(tiny("gpt2").config)
    places = []
    for block in hooks.blocks(model):
        block.register_forward_pre_hook(lambda block, _: places.append([p.data_ptr() for p in block.parameters()]))
    measure(model, TEXTS[:2], batch_tokens=0)  # each alone
    assert len(places) == 6
    assert all(place == places[0] for place in places)


def test_a_pass_may_follow_one_in_inference_mode():
    model = streaming.streamed(tiny("qwen3").config)
    first = measure(model, TEXTS[:1]).mu[-1]
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor(TEXTS[:1]), use_cache=False).last_hidden_state
    assert float(metrics.mean_cosine(hidden[0]).all_pairs) == pytest.approx(first, abs=1e-6)


def test_no_memory_is_taken_for_the_blocks_before_the_pass():
    model = streaming.streamed(transformers.GPT2Config(n_embd=4096, n_layer=200, n_head=32, vocab_size=8))
    assert sum(p.numel() for p in model.parameters()) > 4e10


def test_dtype_is_that_of_all_weights():
    drawn = everything(streaming.streamed(tiny("qwen3").config, dtype=torch.bfloat16))
    assert {value.dtype for value in drawn.values()} == {torch.bfloat16}


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "olmo-3"])
def test_fewer_rows_of_the_embedding_change_nothing(name):
    """The rows that are read, under their new numbers, give the hidden states of the whole table."""
    model = hooks.backbone(tiny(name))
    texts = [[2 * i % 20 + 3 for i in range(k, k + 40)] for k in range(2)]
    config, renumbered = streaming.with_vocabulary(model.config, texts)
    used = sorted({i for ids in texts for i in ids})
    assert config.vocab_size == len(used) == 10
    assert [[used[i] for i in ids] for ids in renumbered] == texts

    def fill(module, name):
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings == len(used):
            module.weight.copy_(model.get_submodule(name).weight[used])
        else:
            like(model)(module, name)

    found = measure(streaming.streamed(config, fill=fill), renumbered)
    np.testing.assert_allclose(found.mu_per_text, measure(model, texts).mu_per_text, atol=1e-5)


def test_no_row_of_the_smaller_embedding_is_padding():
    config, _ = streaming.with_vocabulary(tiny("olmo-3").config, [[0, 5, 9]])
    model = streaming.streamed(config)
    assert (model.embed_tokens.weight.norm(dim=1) > 0).all()


@pytest.mark.parametrize("name", ["gpt2", "qwen2.5-0.5b", "qwen3-4b", "bloom-7b1", "olmo-3-7b"])
def test_fewer_rows_leave_the_rest_of_a_published_configuration(name):
    entry = models.table()[name]
    config = getattr(transformers, entry["architecture"])(**entry["config"])
    smaller, _ = streaming.with_vocabulary(config, [[7, 1, 7]])
    changed = {k for k, v in config.to_dict().items() if smaller.to_dict()[k] != v}
    assert changed <= {"vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"}
    assert smaller.vocab_size == 2
