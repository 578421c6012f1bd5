"""Models measured by name: what a result carries, and one that fails among several."""

import errno
import sys
import warnings
from contextlib import nullcontext

import pytest

from decondense import models
from decondense.cli import door, measuring


@pytest.fixture
def folder(tmp_path, tiny_gpt2, tiny_tokenizer):
    """A local model in a folder whose path must not show up anywhere."""
    path = tmp_path / "someone" / "my-model"
    tiny_gpt2.save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return str(path)


@pytest.fixture
def given(texts):
    return door.Texts(texts, "files a.txt", door.fingerprint(texts))


HOW = measuring.How(max_length=32, sources=("local",))


def test_a_result_says_where_it_is_from(folder, given):
    result = measuring.measured(folder, given, HOW)
    assert result.name == "my-model"
    assert result.settings["texts_sha256"] == given.sha256
    assert result.settings["texts"] == "files a.txt"
    model = result.settings["model"]
    assert (model["model"], model["source"], model["family"]) == ("my-model", "local folder", "other")
    assert model["parameters"] == sum(p.numel() for p in models.load(folder).model.parameters())
    assert set(result.settings["versions"]) == set(measuring.VERSIONED)
    assert "someone" not in str(measuring.facts(result))


def test_facts_are_those_of_the_result(condensation):
    facts = measuring.facts(condensation)
    assert (facts["rho"], facts["layers"]) == (condensation.rho, 4)
    assert (facts["late_half"], facts["late_half_interval"]) == condensation.mean_of_last(None)


def test_random_weights_with_the_tokenizer_of_another(folder, given, monkeypatch):
    monkeypatch.setitem(models.table()["gpt2"], "config", {"n_embd": 16, "n_layer": 2, "n_head": 2})
    monkeypatch.setitem(models.table()["gpt2"], "parameters", 1_000)
    how = HOW._replace(weights="random", tokenizer=folder, seed=3)
    result = measuring.measured("gpt2", given, how)
    assert result.name == "gpt2-random-3"
    assert result.settings["model"]["tokenizer"] == "my-model"
    assert result.settings["model"]["family"] == "GPT2"


def test_random_weights_without_a_tokenizer_say_what_to_take(given, monkeypatch):
    monkeypatch.setitem(models.table()["gpt2"], "config", {"n_embd": 16, "n_layer": 2, "n_head": 2})
    with pytest.raises(FileNotFoundError, match=r"No tokenizer for gpt2 from local.*--tokenizer smollm2"):
        measuring.measured("gpt2", given, HOW._replace(weights="random"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "trained"}, "Unknown weights 'trained'"),
        ({"dtype": "float23"}, "Did you mean 'float32'"),
        ({"sources": ("hubb",)}, "Did you mean 'hub'"),
        ({"device": "nowhere"}, "Device 'nowhere' is not there.*cpu"),
        ({"tokenizer": "gtp2"}, "Did you mean 'gpt2'"),
    ],
)
def test_what_every_model_would_be_refused_for(changes, said):
    with pytest.raises(ValueError, match=said):
        measuring.check(["gpt2"], HOW._replace(**changes))


def test_one_that_fails_does_not_take_the_others(given, monkeypatch, condensation):
    def measured(name, *_):
        if name == "bad":
            raise OSError("no\nsuch  file")
        return condensation

    monkeypatch.setattr(measuring, "measured", measured)
    done, failed = [], []
    results = measuring.several(["a", "bad", "c"], given, HOW, False, done.append, lambda *why: failed.append(why))
    assert results == done == [condensation] * 2
    assert failed == [("bad", "no such file")]
    assert measuring.several(["bad"], given, HOW, False, done.append, lambda *why: failed.append(why)) == []
    assert failed[1:] == [("bad", "no such file")]


@pytest.mark.parametrize(("debug", "raised"), [("1", True), ("0", False), ("", False)])
def test_debug_lets_the_error_through(given, monkeypatch, debug, raised):
    def measured(*_):
        raise OSError("no such file")

    monkeypatch.setattr(measuring, "measured", measured)
    monkeypatch.setenv("DECONDENSE_DEBUG", debug)
    with pytest.raises(OSError, match="no such file") if raised else nullcontext():
        measuring.several(["bad"], given, HOW, False, print, print)


def test_a_full_disk_ends_it_and_is_no_fault_of_the_model(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(measuring, "measured", full)
    with pytest.raises(OSError, match="No space left"):
        measuring.several(["a", "b"], door.Texts([], "", ""), HOW, False, print, print)


def test_what_libraries_say_goes_to_standard_error(capsys):
    with measuring.plainly():
        print("a library")
        warnings.warn("two\nlines", stacklevel=1)
    out, error = capsys.readouterr()
    assert (out, error) == ("", "a library\nwarning: two lines\n")
    assert sys.stdout is not sys.stderr


def test_a_folder_without_weights_or_without_a_tokenizer_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    texts = door.Texts(["one two"], "files", "0")
    with pytest.raises(FileNotFoundError, match=r"has no weights\. Save them there"):
        measuring.measured(str(tmp_path), texts, measuring.How())
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer\. .*--tokenizer MODEL"):
        measuring.measured(str(tmp_path), texts, measuring.How())


def test_hidden_vectors_that_are_not_finite_are_an_error(folder, given, monkeypatch):
    load = models.load

    def broken(*args, **how):
        loaded = load(*args, **how)
        next(loaded.model.parameters()).data[0, 0] = float("nan")
        loaded.model.lm_head.weight.data.fill_(float("nan"))
        return loaded

    monkeypatch.setattr(models, "load", broken)
    with (
        pytest.warns(match="mu is NaN there"),
        pytest.raises(ValueError, match=r"hidden vectors are NaN or infinite, the first at entry \d.*float32"),
    ):
        measuring.measured(folder, given, HOW)


def test_a_seed_that_nothing_reads_is_refused(folder):
    with pytest.raises(ValueError, match=r"has weights of its own: add --weights random, or leave --seed out"):
        measuring.check([folder], HOW._replace(seed=1))
    measuring.check([folder], HOW)
    measuring.check(["pocket-small"], HOW._replace(seed=1))


def test_a_pocket_model_of_another_seed_has_another_name():
    assert door.label("pocket-small", seed=3) == "pocket-small-seed3"
    assert door.label("pocket-small") == "pocket-small"
    assert door.label("gpt2", "random", 3) == "gpt2-random-3"
