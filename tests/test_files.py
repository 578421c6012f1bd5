"""Files that are never half written, and where caches live."""

import hashlib
import os
from pathlib import Path

import pytest

from decondense import files


def test_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "here"))
    assert files.cache_dir() == tmp_path / "here"


def test_cache_is_the_users_without_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("DECONDENSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_dir() == tmp_path / "decondense"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.cache_dir() == Path.home() / ".cache" / "decondense"


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


def test_sha256_of_text_bytes_and_file_agree(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("ρ".encode())
    expected = hashlib.sha256("ρ".encode()).hexdigest()
    assert files.sha256("ρ") == files.sha256("ρ".encode()) == files.sha256(path) == expected
    assert files.sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
