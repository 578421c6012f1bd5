"""Where records and weights of runs are; every committed one is found; one run is made by one command at a time."""

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from decondense import models, records, trainers
from decondense.base import closure, files
from decondense.losses import expansion
from decondense.models import pocket
from decondense.runs import grid, loop, midtraining, pretraining, store
from decondense.runs.run import Run

SHARED = {
    "steps": 3, "batch_size": 2, "length": 16, "learning_rate": 1e-2, "checkpoints": 3, "texts": 2, "text_length": 24,
    "held_out": 4, "sources": ["local"], "train_tokens": 0,
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture
def toy(small_pocket, tmp_path, monkeypatch):
    """The configuration of a run of the toy family; records of its own."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    return midtraining.configuration(midtraining.setup("pocket-small", "documentation", **SHARED), 5)


@pytest.mark.parametrize(("config", "own"), [({}, midtraining), ({"shape": {}}, pretraining)])
def test_code_is_what_a_run_is_made_by(config, own):
    """A change of any of these files makes new records."""
    found = closure.files(store._code(config))
    for module in (loop, trainers, own, models, pocket, expansion):
        assert Path(module.__file__) in found


# --- committed records ----------------------------------------------------------------------------------------------


def asked_for(config):
    """A kind of run, and the configuration again from what was asked for."""
    derived = ("seed", "forgetting", "logging_steps") if "shape" in config else ("seed",)
    asked = {name: value for name, value in config.items() if name not in derived}
    kind, module = (pretraining.KIND, pretraining) if "shape" in config else (midtraining.KIND, midtraining)
    return kind, module.configuration(asked, config["seed"])


def committed_runs():
    read = [json.loads(path.read_text()) for path in sorted(records.committed_folder().glob("*-seed*.json"))]
    return [run for run in read if {"steps", "accumulation"} <= set(run["config"])]


def test_every_committed_training_record_is_found(tmp_path, monkeypatch):
    """Whatever became of keys and code since: the configuration alone decides."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(store, "surroundings", lambda config: {"device": "abacus"})
    kept = committed_runs()
    assert len(kept) > 100
    for run in kept:
        kind, config = asked_for(run["config"])
        assert config == run["config"]
        assert kind.name(config) == run["experiment"]
        assert kind.find(config, True).content["results"] == run["results"]


def test_a_whole_number_is_the_same_key(toy):
    shared = midtraining.setup("pocket-small", "documentation", **SHARED) | {"loss": "dispersion"}
    one, other = (midtraining.configuration(shared | {"weight": weight}, 5) for weight in (1, 1.0))
    assert store._key("a", one) == store._key("a", other)


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_are_kept_where_they_are_asked_for(toy, tmp_path, monkeypatch):
    plain = midtraining.train(toy)
    monkeypatch.setenv("DECONDENSE_WEIGHTS", str(tmp_path / "weights"))
    assert midtraining.KIND.find(toy, True) is None  # there is a record and there are no weights
    before = plain.path.read_bytes()
    assert midtraining.train(toy) == plain
    assert plain.path.read_bytes() == before
    (folder,) = (tmp_path / "weights").iterdir()
    assert folder.name == plain.path.stem
    assert not list(folder.glob("*.bin")) + list(folder.glob("*.pt"))
    loaded = models.load(str(folder), sources=["local"])
    assert loop._fingerprint(loaded.model) == plain.content["results"]["weights_sha256"]
    assert loaded.tokenizer("the mean")["input_ids"] == pocket.tokenizer()("the mean")["input_ids"]
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained again"))
    assert midtraining.KIND.find(toy, False) == midtraining.train(toy) == plain


def test_weights_appear_whole_or_not_at_all(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_WEIGHTS", str(tmp_path / "weights"))

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(type(pocket.tokenizer()), "save_pretrained", full)
    with pytest.raises(OSError, match="disk full"):
        midtraining.train(toy)
    assert list((tmp_path / "weights").iterdir()) == []
    assert midtraining.KIND.find(toy, False) is None


def test_what_a_kill_left_of_weights_is_swept(toy, tmp_path, monkeypatch):
    """A folder that is being written has the name of those that are removed when they are old."""
    monkeypatch.setenv("DECONDENSE_WEIGHTS", str(tmp_path / "weights"))
    made, one = [], type(pocket.tokenizer()).save_pretrained

    def save(tokenizer, folder, *how):
        made.append(Path(folder))
        one(tokenizer, folder, *how)

    monkeypatch.setattr(type(pocket.tokenizer()), "save_pretrained", save)
    left = tmp_path / "weights" / f".left{files.UNFINISHED}"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    midtraining.train(toy)
    assert [folder.name.endswith(files.UNFINISHED) for folder in made if folder.parent == left.parent] == [True]
    (folder,) = left.parent.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o777 & ~files._umask()


# --- asked to be made anew ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it, as a kill."""


def kill_after(patch, step):
    end = loop._Watch.on_step_end

    def on_step_end(self, args, state, control, **kwargs):
        end(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise Killed

    patch.setattr(loop._Watch, "on_step_end", on_step_end)


@pytest.mark.parametrize(("fresh", "first"), [(-3600, 3), (3600, 1)], ids=["older", "newer"])
def test_fresh_goes_on_from_no_older_checkpoint(toy, monkeypatch, fresh, first):
    monkeypatch.setattr(loop, "LONG", 1)
    with monkeypatch.context() as patch:
        kill_after(patch, 3)
        with pytest.raises(Killed):
            midtraining.train(toy)
    asked = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + fresh))
    monkeypatch.setenv("DECONDENSE_FRESH", asked)
    monkeypatch.setattr(records, "provenance", lambda: {"utc": "2999-01-02T00:00:00+00:00"})
    steps = []
    record = midtraining.train(toy, steps.append)
    assert steps == list(range(first, 4))
    assert record.content["results"]["checkpoints"] == [0, 1, 2, 3]


# --- two commands at once -------------------------------------------------------------------------------------------


def test_a_run_is_made_by_one_command_at_a_time(tmp_path):
    seen = []

    def work(name):
        with store._alone(tmp_path / "run"):
            seen.append(f"{name} begins")
            time.sleep(0.2)
            seen.append(f"{name} ends")

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.split()[1] for line in seen] == ["begins", "ends"] * 2
    assert seen[0][0] == seen[1][0]


def test_who_waited_finds_the_record(toy, monkeypatch):
    one, done = loop.train, []
    monkeypatch.setattr(loop, "train", lambda *how: done.append(1) or one(*how))
    with store._alone(files.cache_dir() / "midtraining" / store._key(midtraining._name(toy), toy)):
        thread = threading.Thread(target=midtraining.train, args=(toy,))
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive()
        assert not done
    thread.join()
    assert len(done) == 1
    midtraining.train(toy)
    assert len(done) == 1
    assert np.isfinite(Run("a", 5, midtraining.KIND.find(toy, False)).mu).all()
    assert grid.missing_of(midtraining.KIND, [toy], False) == []
