"""Run records: found again, made again, never half written."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from toys import unchecked

from decondense import records
from decondense.base import closure, files
from decondense.base.files import sha256

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


def test_key_changes_with_name_config_and_code(compute, monkeypatch):
    monkeypatch.setattr(closure, "fingerprint", lambda module: sha256(module))
    paths = [
        records.run("toy", CONFIG, compute).path,
        records.run("other", CONFIG, compute).path,
        records.run("toy", CONFIG | {"seed": 4}, compute).path,
        records.run("toy", CONFIG | {"model": "b"}, compute).path,
        records.run("toy", CONFIG, compute, "one.module").path,
        records.run("toy", CONFIG, compute, "another").path,
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
    found = records.run("toy", CONFIG, compute, records.__name__).content
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
    assert records.version("no-such-package") is None


def test_no_git_gives_no_commit(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(records.subprocess, "run", no_git)
    assert unchecked(records._git)() == {"git_commit": None, "git_dirty": None}


# --- found without computing ----------------------------------------------------------------------------------------


def test_find_reads_what_run_made_and_never_computes(compute, folder):
    assert records.find("toy", CONFIG) is None
    assert not folder.exists()
    made = records.run("toy", CONFIG, compute)
    assert records.find("toy", CONFIG) == made
    assert records.find("toy", CONFIG | {"model": "b"}) is None
    assert records.find("toy", CONFIG, records.__name__) is None
    with pytest.raises(ValueError, match="configuration of 'toy' has no 'seed'"):
        records.find("toy", {})


def test_find_passes_over_what_run_would_make_again(compute, monkeypatch):
    made = records.run("toy", CONFIG, compute)
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_FRESH", "9999")
        assert records.find("toy", CONFIG) is None
    change_arrays(made)
    with pytest.warns(UserWarning, match="is damaged"):
        assert records.find("toy", CONFIG) is None


def test_surroundings_are_in_the_key_and_not_in_the_configuration(compute):
    plain = records.run("toy", CONFIG, compute)
    one = records.run("toy", CONFIG, compute, surroundings={"torch": "2.6", "device": "cpu"})
    other = records.run("toy", CONFIG, compute, surroundings={"torch": "2.7", "device": "cpu"})
    assert len({plain.path, one.path, other.path}) == compute.times == 3
    assert plain.content["config"] == one.content["config"] == CONFIG
    assert records.find("toy", CONFIG, surroundings={"device": "cpu", "torch": "2.6"}) == one
    assert records.find("toy", CONFIG, surroundings={}) == records.find("toy", CONFIG) == plain


# --- records that the repository keeps ------------------------------------------------------------------------------


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A record made by other code on another machine, in the folder of the repository."""
    where = tmp_path / "committed"
    monkeypatch.setattr(records, "committed_folder", lambda: where)
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", str(where))
        how = {"surroundings": {"device": "abacus"}}
        return records.run("toy", CONFIG | {"sizes": (1, 2)}, Computed(), files.__name__, **how)


WANTED = CONFIG | {"sizes": (1, 2)}  # a tuple, which JSON gives back as a list


def test_committed_record_is_taken_and_copied(committed, compute, folder):
    found = records.run("toy", WANTED, compute, committed=True)
    assert compute.times == 0
    assert found.content == committed.content
    assert found.path == folder / committed.path.name
    assert found.arrays.read_bytes() == committed.arrays.read_bytes()
    assert found.arrays.parent == folder
    assert records.find("toy", WANTED, committed=True) == found
    assert records.is_committed(found)


def test_committed_record_is_only_taken_where_it_is_asked_for(committed, compute, folder):
    assert records.find("toy", WANTED) is None
    made = records.run("toy", WANTED, compute)
    assert compute.times == 1
    assert not records.is_committed(made)
    assert records.find("toy", WANTED, committed=True) == made  # one's own comes first


@pytest.mark.parametrize("change", [{"seed": 30}, {"model": "b"}, {"sizes": [1, 3]}, {"more": 1}])
def test_committed_record_of_another_configuration_is_left(committed, change, folder):
    assert records.find("toy", WANTED | change, committed=True) is None
    assert not folder.exists()


def test_committed_record_of_another_experiment_is_left(committed):
    assert records.find("to", WANTED, committed=True) is None
    assert records.find("toy-two", WANTED, committed=True) is None


def test_fresh_leaves_committed_records(committed, compute, monkeypatch):
    monkeypatch.setenv("DECONDENSE_FRESH", "9999")
    made = records.run("toy", WANTED, compute, committed=True)
    assert compute.times == 1
    assert not records.is_committed(made)


def test_damaged_committed_record_is_passed_over(committed, folder):
    whole = committed.path.with_name("toy-seed3-zzz.json")
    whole.write_bytes(committed.path.read_bytes())
    cut(committed)
    with pytest.warns(UserWarning, match=f"{committed.path.name} is damaged"):
        found = records.find("toy", WANTED, committed=True)
    assert found.path == folder / whole.name


def test_committed_record_without_arrays(committed, compute, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", str(records.committed_folder()))
        kept = records.run("bare", CONFIG, Computed(arrays=None), surroundings={"device": "abacus"})
    found = records.run("bare", CONFIG, compute, committed=True)
    assert (found.content, found.arrays) == (kept.content, None)


def test_a_record_made_again_is_not_the_committed_one(committed, monkeypatch):
    """Same configuration, code and machine: it has the same name."""
    how = {"surroundings": {"device": "abacus"}, "committed": True}
    other = Computed(results={"mu": [0.25, 1.0]})
    monkeypatch.setenv("DECONDENSE_FRESH", "9999")
    made = records.run("toy", WANTED, other, files.__name__, **how)
    assert made.path.name == committed.path.name
    assert not records.is_committed(made)
    assert records.is_committed(committed)


def test_committed_folder_is_that_of_the_book_or_of_the_package(monkeypatch, tmp_path):
    root = Path(__file__).parents[1]
    assert records.committed_folder() == root / "book" / "results"
    monkeypatch.setattr(records, "__file__", str(tmp_path / "records.py"))
    (tmp_path / "results").mkdir()
    assert records.committed_folder() == tmp_path / "results"
