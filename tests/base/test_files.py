"""Files that are never half written, and where caches live."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from decondense.base import files, unfinished


def test_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "here"))
    assert files.cache_dir() == tmp_path / "here"


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_is_none_at_all(monkeypatch, tmp_path, empty):
    """An empty path would be the current folder, wherever that is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECONDENSE_CACHE", empty)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert files.cache_dir() == tmp_path / "caches" / "decondense"
    monkeypatch.setenv("XDG_CACHE_HOME", empty)
    assert files.cache_dir() == Path.home() / ".cache" / "decondense"


def test_cache_is_the_users_without_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("DECONDENSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_dir() == tmp_path / "decondense"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.cache_dir() == Path.home() / ".cache" / "decondense"


def test_the_whole_cache_is_swept():
    cache = files.cache_dir()
    left = [cache / place / f".x{unfinished.suffix()}" for place in (".", "mirrors", "assets/toy")]
    for path in left:
        path.mkdir(parents=True)
    (cache / "assets" / "toy" / "whole").touch()
    files.sweep_cache()
    assert [path for path in cache.rglob("*") if path.is_file() or path in left] == [cache / "assets" / "toy" / "whole"]


def test_repository_is_found_from_inside(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert files.repository_root() == tmp_path


def test_outside_a_clone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="inside a clone"):
        files.repository_root()


def test_a_cache_that_is_a_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="Set DECONDENSE_CACHE to a folder"):
        files.cache_dir()


@pytest.mark.parametrize("data", ["ρ and τ\n", b"\x00\xff"])
def test_what_is_written_is_read(tmp_path, data):
    path = files.write_atomically(tmp_path / "new" / "folder" / "a.txt", data)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_kill_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, stage):
    path = files.write_atomically(tmp_path / "a.txt", "old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, stage, killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_unfinished_folder_goes_unless_it_was_moved(tmp_path):
    with pytest.raises(FileNotFoundError), files.unfinished_folder(tmp_path / "new") as folder:
        (folder / "half" / "of it").touch()
    assert os.listdir(tmp_path / "new") == []
    with files.unfinished_folder(tmp_path / "new") as folder:
        (folder / "whole").touch()
        files.move_folder(folder, tmp_path / "new" / "a")
    assert os.listdir(tmp_path / "new") == ["a"]
    assert os.listdir(tmp_path / "new" / "a") == ["whole"]


def test_another_process_may_have_moved_its_folder_first(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
    files.move_folder(tmp_path / "first", tmp_path / "a")
    files.move_folder(tmp_path / "second", tmp_path / "a")
    with pytest.raises(OSError, match="second"):
        files.move_folder(tmp_path / "second", tmp_path / "no" / "folder")


FULL = "No space left on device. Free some space, or set DECONDENSE_CACHE to a folder on another disk, then give"
CLOSED = (
    "Read-only file system. Make this folder writable, or set DECONDENSE_CACHE to a folder that you can write, then"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x"), FULL),
        (Exception("I/O error: x (os error 28)"), FULL),  # of a library written in Rust
        (OSError(errno.EROFS, "x"), CLOSED),
    ],
)
def test_what_cannot_be_written_names_the_cure(error, said):
    with pytest.raises(OSError, match=said) as caught, files.writing_into(files.cache_dir() / "a"):
        raise error
    assert caught.value.errno in files.CANNOT_WRITE
    assert caught.value.filename == str(files.cache_dir() / "a")


def test_outside_the_cache_another_cache_is_no_cure(tmp_path):
    with pytest.raises(OSError, match=r"Free some space, then give"), files.writing_into(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "x")


def test_other_errors_are_left_as_they_are(tmp_path):
    with pytest.raises(ConnectionError, match=r"^no network$"), files.writing_into(tmp_path):
        raise ConnectionError("no network")


def test_a_mirrored_folder_is_the_same_and_what_was_the_same_is_not_touched(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder, names in ((source, ["same", "new/a/b", "other"]), (target, ["same", "other", "old/c", "stays/d"])):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("1")
    (source / "other").write_text("2")
    for path in target.rglob("*"):
        os.utime(path, ns=(0, 0))
    files.mirror(source, target, beside=["stays"])
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    assert {name: path.read_text() for name, path in found.items()} == {
        "same": "1", "new/a/b": "1", "other": "2", "stays/d": "1",
    }  # fmt: skip
    assert {name for name, path in found.items() if path.stat().st_mtime_ns == 0} == {"same", "stays/d"}
    assert not (target / "old").exists()


def test_require_writable_leaves_nothing(tmp_path):
    files.require_writable(tmp_path / "a")
    assert os.listdir(tmp_path / "a") == []


def test_a_damaged_folder_is_made_again_once(tmp_path):
    def make():
        tmp_path.joinpath("a").mkdir(exist_ok=True)
        made.append(1)
        return tmp_path / "a"

    def read(folder):
        if len(made) < enough:
            raise OSError("cut short\nmore")
        return "whole"

    made, enough = [], 2
    with pytest.warns(UserWarning, match=r"The cached a is damaged \(cut short\); it is made again"):
        assert files.read_or_make_again(make, read) == "whole"
    assert len(made) == 2
    made, enough = [], 3
    with pytest.warns(UserWarning, match="again"), pytest.raises(OSError, match="cut short"):
        files.read_or_make_again(make, read)


def test_sha256_of_text_bytes_and_file_agree(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("ρ".encode())
    expected = hashlib.sha256("ρ".encode()).hexdigest()
    assert files.sha256("ρ") == files.sha256("ρ".encode()) == files.sha256(path) == expected
    assert files.sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
