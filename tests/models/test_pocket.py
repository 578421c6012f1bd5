"""The pocket family at toy size: training is deterministic, learns, and is cached whole or not at all."""

import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from decondense.models import pocket

STEP = pocket.BATCH * 32  # tokens in a step of the toy family
TOKENS = 10 * STEP


def trained(**how):
    return pocket.load("pocket-small", **{"train_tokens": TOKENS} | how)


def forget():
    """As a new process finds it: nothing cached."""
    for folder in pocket.cache_dir().glob("pocket/pocket-*"):
        shutil.rmtree(folder)


def test_same_seed_gives_the_same_weights_bit_for_bit(small_pocket):
    first = trained()[0].state_dict()
    forget()
    torch.manual_seed(123)  # the state of the world does not matter
    second = trained()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights(small_pocket):
    first, other = (trained(seed=seed)[0].transformer.wte.weight for seed in (0, 1))
    assert not torch.equal(first, other)


def test_training_lowers_the_loss(small_pocket):
    start, end = (trained(train_tokens=n)[2]["validation_loss"] for n in (0, 6 * TOKENS))
    assert start == pytest.approx(np.log(300), rel=0.1)  # at initialisation every entry is as likely
    assert end < 0.8 * start


def test_no_tokens_give_the_model_at_initialisation(small_pocket):
    model, _, provenance = trained(train_tokens=0)
    fresh = pocket._new_model(pocket.SIZES["pocket-small"], 0).state_dict()
    assert provenance["train_tokens"] == 0
    assert all(torch.equal(weight, fresh[name]) for name, weight in model.state_dict().items())


def test_sizes_are_those_of_the_table(small_pocket):
    config = pocket.load("pocket-medium", 0)[0].config
    assert (config.n_layer, config.n_head, config.n_embd) == (3, 2, 32)
    assert (config.vocab_size, config.n_positions) == (300, 32)


def test_second_time_it_is_read(small_pocket, monkeypatch):
    first = trained()
    monkeypatch.setattr(pocket, "_train", lambda *_: pytest.fail("trained again"))
    second = trained()
    assert torch.equal(first[0].lm_head.weight, second[0].lm_head.weight)
    assert first[2] == second[2]


def test_provenance_says_what_was_trained(small_pocket):
    _, _, found = trained(seed=2)
    assert (found["train_tokens"], found["seed"]) == (TOKENS, 2)
    assert found["source"] == "trained here on the embedded corpus"
    assert found["revision"].startswith("pocket-small-")
    assert 0 < found["validation_loss"] < 6


def test_a_kill_while_saving_leaves_no_folder(small_pocket, monkeypatch):
    def killed(_model, folder, **_):
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "save_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(train_tokens=0)
    assert [path.name for path in (pocket.cache_dir() / "pocket").iterdir() if path.is_dir()] == []


def test_number_of_threads_is_left_as_it_was(small_pocket, monkeypatch):
    seen = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    trained(train_tokens=0)
    assert seen == [1, 5]


def test_tokenizer_gives_the_text_back_and_is_cached(small_pocket, monkeypatch):
    tokenizer = pocket.tokenizer()
    assert len(tokenizer) <= 300
    assert tokenizer.eos_token_id == 0
    for text in (small_pocket[0], "Ünseen ρ!"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    monkeypatch.setattr("tokenizers.ByteLevelBPETokenizer", lambda: pytest.fail("trained again"))
    pocket.tokenizer.cache_clear()
    assert pocket.tokenizer().get_vocab() == tokenizer.get_vocab()


def test_stream_is_the_corpus_in_order(small_pocket):
    assert pocket.tokenizer().decode(pocket._tokens()) == "".join(small_pocket)


def test_rate_warms_up_then_falls_to_zero():
    rates = [pocket._rate(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert int(np.argmax(rates)) in (9, 10)
    assert max(rates) <= 1
    assert rates[100] == pytest.approx(0, abs=1e-12)


def test_only_missing_models_are_trained_the_largest_first(small_pocket, monkeypatch):
    trained(train_tokens=0)
    commands = []
    done = SimpleNamespace(returncode=0, stderr="")
    monkeypatch.setattr(pocket.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(pocket, "subprocess", SimpleNamespace(run=lambda c, **_: commands.append(c[3:]) or done))
    pocket.train_missing(["pocket-small", "pocket-medium"], 0)
    assert commands == [["pocket-medium", "0", "0"]]
    commands.clear()
    pocket.train_missing(["pocket-small", "pocket-medium"], 64, seed=4)
    assert commands == [["pocket-medium", "64", "4"], ["pocket-small", "64", "4"]]


def test_failed_training_says_why(small_pocket, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="Traceback\nMemoryError: too large\n")
    monkeypatch.setattr(pocket, "subprocess", SimpleNamespace(run=lambda *_, **__: failed))
    with pytest.raises(RuntimeError, match="Training pocket-small failed: MemoryError: too large"):
        pocket.train_missing(["pocket-small"], 64)


def test_damaged_model_is_trained_again(small_pocket):
    first = {name: weight.clone() for name, weight in trained()[0].state_dict().items()}  # of a file mapped into memory
    (file,) = pocket.cache_dir().glob("pocket/pocket-small-*/model.safetensors")
    os.truncate(file, 1000)
    with pytest.warns(UserWarning, match=r"The cached pocket-small-\w+ is damaged .*; it is made again"):
        second = trained()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
