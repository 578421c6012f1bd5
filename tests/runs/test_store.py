"""The record of a run: where it is, what it depends on, made by one command at a time; and its weights."""

import os
import threading
import time
from pathlib import Path

import pytest
import transformers
from toy_runs import DISPERSION, killed_after, mid, scratch, until

from decondense import models, records, trainers
from decondense.base import closure, files, unfinished
from decondense.losses import expansion
from decondense.models import pocket
from decondense.runs import grid, loop, midtraining, pretraining, read, store, watch
from decondense.runs.run import Run

COMMITTED = records.committed_folder  # before a test has one of its own
pytestmark = pytest.mark.usefixtures("frozen", "world")


@pytest.fixture
def killed(monkeypatch):
    """A run that is killed after its third step, and had saved its state before."""

    def run(config):
        monkeypatch.setattr(loop, "LONG", 1)
        with killed_after(3):
            store.train(config)

    return run


def leftovers():
    return [path.name for path in (files.cache_dir() / "midtraining").glob("*")]


def test_the_record_holds_the_run_and_nothing_else_is_left():
    steps, config = [], mid(seed=5)
    record = store.train(config, steps.append)
    assert steps == [1, 2, 3]
    assert record == store.find(config, False) == store.train(config, pytest.fail)
    assert record.content["config"] == config.as_dict()
    assert record.path.name.startswith("midtraining-gpt2-toy-train-seed5-")
    assert record.content["provenance"]["seconds"] > 0
    assert leftovers() == []


def test_the_key_is_of_code_surroundings_and_configuration(monkeypatch):
    config = mid()
    keys = [store._key(config), store._key(config.changed(seed=1))]
    with monkeypatch.context() as patch:
        patch.setattr(closure, "fingerprint", lambda module: "another")
        keys.append(store._key(config))
    for name, value in {"PACKAGES": ("numpy",), "device": lambda: "abacus"}.items():
        with monkeypatch.context() as patch:
            patch.setattr(store, name, value)
            keys.append(store._key(config))
    monkeypatch.setattr(store, "corpus", lambda *_: type("", (), {"sha256": "other"}))
    assert len({*keys, store._key(config)}) == 6


def test_the_documentation_counts_where_a_pocket_model_does(small_pocket):
    """Their weights and tokenizer are made of it."""
    pockets = [mid(model="pocket-small"), scratch(tokenizer="pocket-small")]
    pockets.append(scratch(distillation={"teacher": "pocket-medium"}))
    for config in pockets:
        assert store.surroundings(config)["corpora"] == [store.corpus(n).sha256 for n in ("imdb", "documentation")]
    assert store.surroundings(mid())["corpora"][1] is store.surroundings(scratch())["corpora"][1] is None


def test_code_is_all_that_a_run_is_made_by():
    found = closure.files(store.CODE)
    for module in (loop, watch, trainers, midtraining, pretraining, models, pocket, expansion):
        assert Path(module.__file__) in found


def test_committed_records_are_found_by_their_configuration(monkeypatch):
    """Whatever became of keys and code since; one of each name."""
    monkeypatch.setattr(records, "committed_folder", COMMITTED)
    monkeypatch.setattr(store, "surroundings", lambda config: {"device": "abacus"})
    names = {path.name.split("-seed")[0]: path for path in COMMITTED().glob("*-seed*.json")}
    of_the_store = lambda config: "accumulation" in config and "rounding" not in config  # page 33 rounds its runs
    kept = [record for record in map(records.read, names.values()) if of_the_store(record.content["config"])]
    assert len(kept) > 10
    for record in kept:
        assert store.find(read(record.content["config"]), True).content["results"] == record.content["results"]


# --- killed, or made anew -------------------------------------------------------------------------------------------


def test_a_killed_run_goes_on_in_its_own_folder(killed):
    config = mid(**DISPERSION, seed=5)
    whole = store.train(config)
    whole.path.unlink()
    killed(config)
    assert store.find(config, False) is None
    assert leftovers() == [whole.path.stem]  # the key of the record, so other code has another folder
    other = store.train(config.changed(seed=7))  # not from this folder
    assert len(leftovers()) == 1
    steps = []
    again = store.train(config, steps.append)
    assert steps == [3]
    assert again.content["results"] == whole.content["results"] != other.content["results"]
    assert again.arrays.read_bytes() == whole.arrays.read_bytes()
    assert leftovers() == []


@pytest.mark.parametrize(("fresh", "first"), [(-3600, 3), (3600, 1)], ids=["older", "newer"])
def test_fresh_goes_on_from_no_older_checkpoint(killed, monkeypatch, fresh, first):
    config, steps = mid(), []
    killed(config)
    asked = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + fresh))
    monkeypatch.setenv("DECONDENSE_FRESH", asked)
    monkeypatch.setattr(records, "provenance", lambda: {"utc": "2999-01-02T00:00:00+00:00"})
    record = store.train(config, steps.append)
    assert steps == list(range(first, 4))
    assert record.content["results"]["checkpoints"] == [0, 1, 2, 3]


# --- weights --------------------------------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder that keeps weights."""
    monkeypatch.setenv("DECONDENSE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_weights_are_kept_where_they_are_asked_for(weights, monkeypatch):
    config = mid()
    with monkeypatch.context() as patch:
        patch.delenv("DECONDENSE_WEIGHTS")
        plain = store.train(config)
    assert store.find(config, False) is None  # there is a record and there are no weights
    before = plain.path.read_bytes()
    assert store.train(config) == plain
    assert plain.path.read_bytes() == before
    (folder,) = weights.iterdir()
    assert folder.name == plain.path.stem
    assert not list(folder.glob("*.bin")) + list(folder.glob("*.pt"))
    loaded = models.load(str(folder), sources=["local"])
    assert watch.fingerprint(loaded.model) == plain.content["results"]["weights_sha256"]
    assert loaded.tokenizer("w3 w5")["input_ids"] == [4, 6]
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained again"))
    assert store.find(config, False) == store.train(config) == plain


def test_weights_appear_whole_or_not_at_all(weights, monkeypatch):
    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(transformers.PreTrainedTokenizerFast, "save_pretrained", full)
    with pytest.raises(OSError, match="disk full"):
        store.train(mid())
    assert list(weights.iterdir()) == []
    assert store.find(mid(), False) is None


def test_what_a_kill_left_of_weights_is_swept(weights):
    left = weights / f".left{unfinished.UNFINISHED}"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    store.train(mid())
    (folder,) = weights.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o777 & ~files._umask()


# --- two commands at once -------------------------------------------------------------------------------------------


def test_a_run_is_made_by_one_command_at_a_time(monkeypatch):
    """Who waited finds the record."""
    one, config, seen = loop.train, mid(), []
    monkeypatch.setattr(loop, "train", lambda *how: seen.append(1) or one(*how))
    opened, flock = [], __import__("fcntl").flock
    monkeypatch.setattr("fcntl.flock", lambda *how: opened.append(1) or flock(*how))
    threads = [threading.Thread(target=store.train, args=(config,)) for _ in range(2)]
    with store._alone(files.cache_dir() / config.kind / store._key(config)):
        for thread in threads:
            thread.start()
        until(lambda: len(opened) == 3)
        assert not seen
    for thread in threads:
        thread.join()
    assert seen == [1]
    assert grid.missing_of([config], False) == []
    assert Run("a", 0, store.find(config, False)).looks


def test_a_run_of_two_processes_is_not_made_in_one():
    with pytest.raises(ValueError, match=r"one of 2 processes, and here are 1\. Start it with `accelerate launch"):
        store.train(scratch(processes=2))
