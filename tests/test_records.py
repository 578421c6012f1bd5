"""Run records: found again, made again, never half written."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import unchecked

from decondense import records
from decondense.files import sha256

CONFIG = {"seed": 3, "model": "toy"}


class Computed:
    """Stands for an experiment; counts how often it is computed."""

    def __init__(self, results=None, arrays=b"arrays"):
        self.times, self.results, self.arrays = 0, results or {"mu": [0.5, 1.0]}, arrays

    def __call__(self):
        self.times += 1
        return self.results | {"times": self.times}, self.arrays


@pytest.fixture
def compute():
    return Computed()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    return tmp_path / "records"


def test_folder_is_in_the_cache_without_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("DECONDENSE_RECORDS")
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path))
    assert records.folder() == tmp_path / "records"


def test_record_is_found_again(compute, folder):
    first = records.run("toy", CONFIG, compute)
    second = records.run("toy", dict(reversed(CONFIG.items())), compute)
    assert compute.times == 1
    assert first == second
    assert second.content["results"] == {"mu": [0.5, 1.0], "times": 1}
    assert second.arrays.read_bytes() == b"arrays"
    assert sorted(os.listdir(folder)) == sorted([first.path.name, first.arrays.name])


def test_record_without_arrays(folder):
    compute = Computed(arrays=None)
    assert records.run("toy", CONFIG, compute).arrays is None
    assert records.run("toy", CONFIG, compute).arrays is None
    assert compute.times == 1
    assert len(os.listdir(folder)) == 1


def test_what_is_returned_is_what_a_reader_gets():
    compute = Computed(results={"pair": (1, 2), 3: "key"})
    first = records.run("toy", CONFIG, compute)
    assert first == records.read(first.path)
    assert first.content["results"]["pair"] == [1, 2]


def test_seed_is_in_the_name_and_needed(compute):
    assert records.run("toy", CONFIG, compute).path.name.startswith("toy-seed3-")
    with pytest.raises(ValueError, match="configuration of 'toy' has no 'seed'"):
        records.run("toy", {"model": "toy"}, compute)


def test_key_changes_with_name_config_and_code(compute, tmp_path):
    def module(source):
        path = tmp_path / "module.py"
        path.write_text(source)
        return path

    paths = [
        records.run("toy", CONFIG, compute).path,
        records.run("other", CONFIG, compute).path,
        records.run("toy", CONFIG | {"seed": 4}, compute).path,
        records.run("toy", CONFIG | {"model": "b"}, compute).path,
        records.run("toy", CONFIG, compute, [module("x = 1")]).path,
        records.run("toy", CONFIG, compute, [module("x = 2")]).path,
    ]
    assert len(set(paths)) == compute.times == 6


def cut(record):
    record.path.write_text(record.path.read_text()[:50])


def change(record):
    record.path.write_text(record.path.read_text().replace("0.5", "0.6"))


def no_hash(record):
    record.path.write_text(json.dumps(record.content))


def no_record(record):
    record.path.write_text("[1, 2]")


def change_arrays(record):
    record.arrays.write_bytes(b"other")


def lose_arrays(record):
    record.arrays.unlink()


@pytest.mark.parametrize("damage", [cut, change, no_hash, no_record, change_arrays, lose_arrays])
def test_damaged_record_is_made_again_with_a_warning(compute, damage):
    first = records.run("toy", CONFIG, compute)
    damage(first)
    with pytest.warns(UserWarning, match=rf"The record {first.path.name} is damaged; it is made again"):
        second = records.run("toy", CONFIG, compute)
    assert compute.times == 2
    assert second == records.run("toy", CONFIG, compute)
    assert second.content["results"] == {"mu": [0.5, 1.0], "times": 2}


def test_a_kill_while_writing_leaves_the_old_record(compute, monkeypatch, folder):
    first = records.run("toy", CONFIG, compute)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setenv("DECONDENSE_FRESH", "9999")
        with pytest.raises(KeyboardInterrupt):
            records.run("toy", CONFIG, compute)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert records.read(first.path) == first


def test_a_failure_leaves_no_record(folder):
    def broken():
        raise KeyError("broken")

    with pytest.raises(KeyError):
        records.run("toy", CONFIG, broken)
    assert not folder.exists() or os.listdir(folder) == []


@pytest.mark.parametrize(("hours", "times"), [(-1, 1), (1, 2)])
def test_only_a_record_older_than_fresh_is_made_again(compute, monkeypatch, hours, times):
    records.run("toy", CONFIG, compute)
    asked = datetime.now(UTC) + timedelta(hours=hours)
    monkeypatch.setenv("DECONDENSE_FRESH", asked.isoformat(timespec="seconds"))
    records.run("toy", CONFIG, compute)
    assert compute.times == times


def test_no_record_is_none(tmp_path):
    assert records.read(tmp_path / "none.json") is None


def test_provenance_says_where_it_came_from(compute):
    found = records.run("toy", CONFIG, compute, [Path(records.__file__)]).content
    assert (found["experiment"], found["config"]) == ("toy", CONFIG)
    assert found["arrays"]["sha256"] == sha256(b"arrays")
    origin = found["provenance"]
    assert origin["seconds"] >= 0
    assert origin["code_sha256"] != records.run("toy", CONFIG, compute).content["provenance"]["code_sha256"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(origin["utc"])) < timedelta(minutes=1)
    assert origin["packages"]["torch"].startswith(records.metadata.version("torch"))
    assert set(origin["packages"]) == set(records.PACKAGES)
    assert origin["hardware"]["cores"] == os.cpu_count()
    assert origin["peak_memory_bytes"] > 2**20
    assert {"python", "git_commit", "git_dirty"} <= set(origin)


def test_package_that_is_not_installed_has_no_version():
    assert records._version("no-such-package") is None


def test_no_git_gives_no_commit(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(records.subprocess, "run", no_git)
    assert unchecked(records._git)() == {"git_commit": None, "git_dirty": None}
