"""Models of every layout that the hub has, loaded from it as a user does: what is asked for, and what is recorded."""

import pytest
import torch
from standin import models as served
from standin.server import commit

from decondense import models

# Name and revision; the class; whether the head is tied to the embedding; how many files the weights are in.
LAYOUTS = {
    "gpt2": (None, "GPT2LMHeadModel", True, 1),
    "bloom-7b1": (None, "BloomForCausalLM", True, 4),
    "qwen2.5-0.5b": (None, "Qwen2ForCausalLM", True, 1),
    "qwen2.5-7b": (None, "Qwen2ForCausalLM", False, 5),
    "qwen3-0.6b": (None, "Qwen3ForCausalLM", True, 1),
    "olmo-3-7b": ("stage1-step0", "Olmo3ForCausalLM", False, 5),
    "deepseek-r1-distill-qwen-7b": (None, "Qwen2ForCausalLM", False, 4),
    "all-minilm-l6-v2": (None, "BertModel", None, 1),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_model_of_the_hub(hub, name):
    revision, kind, tied, pieces = LAYOUTS[name]
    loaded = models.load(name, revision=revision, sources=["hub"], device="cpu")
    asked_for = models.table()[name]["hub"]
    assert type(loaded.model).__name__ == kind
    head = loaded.model.get_output_embeddings()
    assert tied is None or (head.weight is loaded.model.get_input_embeddings().weight) == tied
    assert loaded.tokenizer.decode(loaded.tokenizer("the mean").input_ids) == "the mean"
    assert len(loaded.tokenizer) == served.ENTRIES
    assert loaded.provenance["revision"] == commit(asked_for, revision or "main")
    brought = [(a.revision, a.file) for a in hub.downloads()]
    assert len(set(brought)) == len(brought)
    assert sum(file.endswith(".safetensors") for _, file in brought) == pieces
    assert {a.id for a in hub.log if a.kind} == {asked_for}


def test_the_weights_are_those_of_the_revision(hub):
    main, early = (
        models.load("olmo-3-7b", revision=at, sources=["hub"], device="cpu").model for at in (None, "stage1-step0")
    )
    weights = [model.get_output_embeddings().weight for model in (main, early)]
    assert not torch.equal(*weights)
    again = models.load("olmo-3-7b", revision="stage1-step0", sources=["hub"], device="cpu").model
    assert torch.equal(again.get_output_embeddings().weight, weights[1])


def test_weights_and_tokenizer_are_of_one_commit(hub):
    at = commit("allenai/Olmo-3-1025-7B", "stage1-step0")
    models.load("olmo-3-7b", revision="stage1-step0", sources=["hub"], device="cpu")
    assert {a.revision for a in hub.downloads() if a.file.endswith(("tokenizer.json", ".safetensors"))} == {at}


def test_a_branch_that_moves_while_a_model_is_read(hub):
    """The tokenizer is not asked for on the branch, which may be another commit by then."""
    models.load("qwen3-0.6b", sources=["hub"], device="cpu")
    on_branch = {a.file for a in hub.log if a.what == "resolve" and a.revision == "main"}
    assert on_branch == {"config.json"}


@pytest.mark.parametrize("revision", [None, "stage1-step0", commit("allenai/Olmo-3-1025-7B", "stage1-step0")])
def test_what_was_downloaded_is_found_without_a_word_to_the_hub(hub, revision):
    first = models.load("olmo-3-7b", revision=revision, sources=["hub"], device="cpu").provenance
    hub.log.clear()
    assert models.load("olmo-3-7b", revision=revision, sources=["local"], device="cpu").provenance == first
    assert hub.log == []


@pytest.mark.parametrize("name", [name for name, entry in models.table().items() if entry.get("remote_code")])
def test_code_of_a_repository_is_neither_run_nor_fetched(hub, name):
    with pytest.raises(PermissionError, match="runs code from the hub"):
        models.load(name, sources=["local", "hub"], device="cpu")
    assert hub.log == []


def test_code_of_a_repository_that_the_table_does_not_know_is_not_run(hub):
    hub.repositories["models", "some/one"] = hub.repositories["models", "Qwen/Qwen-7B"]
    with pytest.raises(ValueError, match="trust_remote_code"):
        models.load("some/one", sources=["hub"], device="cpu")
    assert not [asked for asked in hub.log if asked.file in served.OWN_CODE]


def test_every_model_of_the_table_is_served():
    found = {name for _, name in served.repositories([])}
    assert found == {entry["hub"] for entry in models.table().values()}
