"""What a model takes in memory: refused before anything of its size is made."""

import json
from types import SimpleNamespace

import pytest
import torch
import transformers
from toys import TINY, tiny

from decondense import models
from decondense.models import memory


@pytest.fixture
def free(monkeypatch):
    """Sets the bytes that are free."""
    set_to = lambda size: monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=size))
    return set_to


def test_a_model_that_just_fits_is_not_refused(free):
    free(480)
    models.refuse_if_too_large("toy", 100, torch.float32)
    with pytest.raises(MemoryError):
        models.refuse_if_too_large("toy", 101, torch.float32)


@pytest.mark.parametrize(
    ("config", "needed"),
    [
        ({"num_hidden_layers": 3, "hidden_size": 100}, 3 * (20_000 + 10_000)),
        ({"n_layer": 3, "n_embd": 100, "vocab_size": 50}, 3 * 30_000 + 5_000),
        ({"num_hidden_layers": 10**9}, 20_000 * 10**9),
        ({"vision_config": {}, "text_config": {"num_hidden_layers": 3, "hidden_size": 100}}, 90_000),
    ],
)
def test_the_bound_by_arithmetic(free, config, needed):
    free(needed)
    memory.refuse_what_cannot_be_built("x", config)
    free(needed - 1)
    with pytest.raises(MemoryError, match=r"configuration of x asks for .* blocks .* see whether its config\.json is"):
        memory.refuse_what_cannot_be_built("x", config)


@pytest.mark.parametrize("name", TINY)
def test_the_bound_lies_below_what_is_there(free, name):
    model = tiny(name)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    free(weights + 3 * memory.A_BLOCK)
    memory.refuse_what_cannot_be_built("x", model.config.to_dict())


@pytest.mark.parametrize("value", ["3", -3, 2.5, True])
def test_a_size_that_is_none(value):
    with pytest.raises(ValueError, match=r"config\.json of x has n_layer: .*, no size\. Copy it there again\."):
        memory.refuse_what_cannot_be_built("x", {"n_layer": value})


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "bert-masked"])
def test_parameters_are_those_of_the_model(tmp_path, name):
    model = tiny(name)
    model.config.save_pretrained(tmp_path)
    assert models.parameters(str(tmp_path)) == model.num_parameters()


@pytest.fixture
def folder(tmp_path, tiny_gpt2, tiny_tokenizer):
    tiny_gpt2.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_layer": 10**9}, "asks for 1,000,000,000 blocks of width 32"),
        ({"vocab_size": 10**12}, "a vocabulary of 1,000,000,000,000"),
        ({"n_positions": 10**10}, "has 320.00 billion parameters and needs about 1430.5 GiB"),
        ({"n_inner": 10**10}, "needs about"),
    ],
)
def test_a_folder_beyond_memory_is_refused_before_it_is_built(folder, monkeypatch, weights, changes, said):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    for kind in ("from_pretrained", "from_config"):
        real = getattr(transformers.AutoModelForCausalLM, kind)

        def never(config, *_, _real=real, **how):
            assert torch.empty(0).is_meta, "made with memory"
            return _real(config, *_, **how)

        monkeypatch.setattr(transformers.AutoModelForCausalLM, kind, never)
    with pytest.raises(MemoryError, match=said):
        models.load(str(folder), weights, device="cpu")


def test_a_checkpoint_of_20_gib_is_refused(folder):
    """Its weights are a hole in the file."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 16384, "n_layer": 12, "n_head": 4}))
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(20 * 2**30)
    with pytest.raises(MemoryError, match=r"38\.\d+ billion parameters"):
        models.load(str(folder), device="cpu")


def test_an_unknown_model_of_the_hub_is_counted_before_its_weights_are_fetched(
    free, monkeypatch, folder, tiny_tokenizer
):
    asked = []
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: tiny_tokenizer)
    monkeypatch.setattr(
        transformers.PretrainedConfig, "get_config_dict", lambda *_, **how: asked.append(how) or ({}, {})
    )
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: tiny("gpt2").config)
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("fetched the weights")
    )
    needed = 1.2 * 4 * tiny("gpt2").num_parameters()
    free(needed - 1)
    with pytest.raises(MemoryError, match=r"some/model has 0\.00 billion parameters"):
        models.load("some/model", sources=["hub"], device="cpu")
    assert [how["local_files_only"] for how in asked] == [False]
