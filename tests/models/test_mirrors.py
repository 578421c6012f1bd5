"""Mirrors: dequantised once, in a process of its own, whole or not at all."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from decondense.base import assets
from decondense.models import mirrors


@pytest.fixture
def gguf(tmp_path, monkeypatch):
    path = tmp_path / "toy.gguf"
    path.write_bytes(b"weights")
    monkeypatch.setattr(assets, "fetch", lambda name, accept_terms: path)
    monkeypatch.setattr(assets, "table", lambda: {"toy": {"sha256": "0123456789abcdef"}})
    return path


def converter(monkeypatch, returncode=0, stderr=""):
    calls = []

    def run(command, **_):
        calls.append(command)
        (Path(command[-1]) / "made").write_text(command[-2])
        return SimpleNamespace(returncode=returncode, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_folder_is_made_once_for_each_part(gguf, monkeypatch):
    calls = converter(monkeypatch)
    weights, tokenizer = mirrors.folder("toy", "bfloat16"), mirrors.folder("toy", mirrors.TOKENIZER)
    assert mirrors.folder("toy", "bfloat16") == weights != tokenizer
    assert weights.name == "toy-bfloat16-0123456789ab"
    assert [command[3:5] for command in calls] == [[str(gguf), "bfloat16"], [str(gguf), "tokenizer"]]
    assert [(folder / "made").read_text() for folder in (weights, tokenizer)] == ["bfloat16", "tokenizer"]
    assert sorted(weights.parent.iterdir()) == sorted([weights, tokenizer])


def test_failure_says_why(gguf, monkeypatch):
    converter(monkeypatch, returncode=1, stderr="Traceback\nValueError: not a GGUF file")
    with pytest.raises(RuntimeError, match="Could not convert toy: ValueError: not a GGUF file"):
        mirrors.folder("toy", "float32")
    assert list((mirrors.cache_dir() / "mirrors").iterdir()) == []


def test_too_little_memory_is_refused_before_converting(gguf, monkeypatch):
    calls = converter(monkeypatch)
    monkeypatch.setattr(mirrors.psutil, "virtual_memory", lambda: SimpleNamespace(available=7 * 7 - 1))
    with pytest.raises(MemoryError, match="Dequantising toy takes about"):
        mirrors.folder("toy", "float32")
    assert calls == []


def test_a_broken_file_is_no_folder(gguf, tmp_path):
    with pytest.raises((OSError, ValueError)):
        mirrors.convert(gguf, "float32", tmp_path)
    assert list(tmp_path.iterdir()) == [gguf]


def test_an_interrupt_leaves_nothing_behind(gguf, monkeypatch):
    def interrupted(command, **_):
        (Path(command[-1]) / "half").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mirrors.folder("toy", "float32")
    assert list((mirrors.cache_dir() / "mirrors").iterdir()) == []
