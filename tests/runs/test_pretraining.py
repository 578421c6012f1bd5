"""Training from scratch: the shape and seed of the model, names, and what a configuration adds of its own."""

import pytest
import torch
from toy_runs import GPT2, scratch

from decondense import models
from decondense.base import files
from decondense.models import pocket
from decondense.runs.watch import fingerprint

QWEN3 = {
    "architecture": "Qwen3Config", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "tie_word_embeddings": True,
}  # fmt: skip
TAUGHT = {"teacher": "pocket-medium"}


@pytest.mark.parametrize("shape", [GPT2, QWEN3], ids=["gpt2", "qwen3"])
def test_the_model_has_the_shape_the_seed_and_the_tokenizers_vocabulary(world, shape):
    config = scratch(shape=shape, seed=3)
    one, same, other = (changed.load().model for changed in (config, config, config.changed(seed=4)))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    assert one.config.max_position_embeddings == 24  # the longer of what is trained on and what is measured
    assert config.changed(length=40).new_model(64).config.max_position_embeddings == 40
    assert one.get_input_embeddings().weight.shape == (64, 16)
    assert config.parameters() == config.load().provenance["parameters"] == one.num_parameters()
    assert config.load().provenance["seed"] == 3


def test_gpt2_has_no_dropout_unless_the_shape_says_so():
    dropouts = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
    found = scratch(tokenizer="pocket-small").new_model(300).config
    assert [getattr(found, name) for name in dropouts] == [0, 0, 0]
    found = scratch(tokenizer="pocket-small", shape=GPT2 | {"resid_pdrop": 0.1}).new_model(300).config
    assert [getattr(found, name) for name in dropouts] == [0.1, 0, 0]


def test_a_published_shape_by_its_name():
    with torch.device("meta"):
        model = scratch(tokenizer="pocket-small", shape={"like": "qwen3-0.6b"}).new_model(151936)
        shallow = scratch(tokenizer="pocket-small", shape={"like": "qwen3-0.6b", "num_hidden_layers": 2})
        assert shallow.new_model(8).config.num_hidden_layers == 2
    assert model.num_parameters() == models.table()["qwen3-0.6b"]["parameters"]


@pytest.mark.parametrize("shape", [GPT2, QWEN3], ids=["gpt2", "qwen3"])
def test_an_untied_head_has_weights_of_its_own(world, shape):
    tied = scratch(shape=shape)
    untied = tied.changed(shape={"tie_word_embeddings": False})
    assert untied.parameters() == tied.parameters() + 64 * 16
    model = untied.load().model
    assert not torch.equal(model.get_input_embeddings().weight, model.get_output_embeddings().weight)


def test_a_shape_that_the_table_has_not_is_refused():
    unknown = next(name for name, entry in models.table().items() if "architecture" not in entry)
    with pytest.raises(ValueError, match=r"is not in the table of models: give the shape itself"):
        scratch(tokenizer="pocket-small", shape={"like": unknown})


def test_a_changed_shape_is_added_to_the_one_before():
    config = scratch(tokenizer="pocket-small")
    assert config.changed(shape={"n_inner": 8}).shape == GPT2 | {"n_inner": 8}
    assert config.changed(seed=1).shape == GPT2
    with pytest.raises(ValueError, match="shape must be a table such as"):
        config.changed(shape="gpt2")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "toy-gpt2-train"),
        ({"loss": "dispersion", "shape": QWEN3}, "toy-qwen3-dispersion"),
        ({"distillation": TAUGHT}, "toy-gpt2-logits-train"),
        ({"distillation": TAUGHT | {"kind": "hidden"}, "loss": "dispersion"}, "toy-gpt2-hidden-dispersion"),
        ({"distillation": TAUGHT | {"share": 0}}, "toy-gpt2-train"),  # seen, and not trained
    ],
)
def test_names_say_what_the_runs_are(change, name):
    assert scratch(tokenizer="pocket-small", **change).name == name


def test_what_is_usual_is_not_said():
    plain = scratch(tokenizer="pocket-small", train_tokens=7).as_dict()
    assert not {"processes", "train_tokens", "noise_alpha"} & set(plain)
    assert (plain["spacing"], plain["logging_steps"], plain["forgetting"]) == ("log", 1, False)
    taught = scratch(tokenizer="pocket-small", train_tokens=7, distillation=TAUGHT, processes=2).as_dict()
    assert (taught["train_tokens"], taught["processes"]) == (7, 2)
    assert taught["distillation"] == TAUGHT | {"kind": "logits", "share": 0.5, "temperature": None}


def test_a_long_run_logs_a_hundred_means():
    assert [scratch(tokenizer="pocket-small", steps=steps).logging_steps for steps in (9, 199, 450)] == [1, 1, 4]


def test_schedule_and_warm_up_are_those_asked():
    asked = scratch(tokenizer="pocket-small", steps=9, schedule="linear", warm_up=0.5).schedule_arguments
    assert asked == {"lr_scheduler_type": "linear", "warmup_steps": 4}


@pytest.mark.parametrize(("distillation", "trained"), [(None, []), (TAUGHT, [(["pocket-medium"], 7)])])
def test_what_all_processes_need_is_prepared(world, monkeypatch, distillation, trained):
    asked = []
    monkeypatch.setattr(pocket, "train_missing", lambda *how: asked.append(how))
    scratch(distillation=distillation, train_tokens=7).prepare()
    assert asked == trained
    assert list((files.cache_dir() / "streams").glob("imdb-*.npy"))
