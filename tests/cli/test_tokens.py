"""The command `tokens`: what it shows of the files it makes."""

import json

import pytest
from typer.testing import CliRunner

from decondense import models
from decondense.campaign import carried
from decondense.cli import app
from decondense.corpora import mixture, packed


@pytest.fixture
def run(monkeypatch, tiny_tokenizer):
    """The command, on two documents."""
    how = lambda folder, tokenizer, sources, pieces, beside, about: packed.write(
        folder, tokenizer, ["w1 w2 w3"], ["w4 w5"], {"licences": {"a 1": "MIT"}}, pieces, beside=beside
    )
    monkeypatch.setattr(mixture, "pack", how)
    monkeypatch.setattr(models, "load_tokenizer", lambda name, sources: tiny_tokenizer)
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    return lambda *arguments: CliRunner().invoke(app.app, ["tokens", *arguments])


def test_it_names_the_files_and_their_tokens(run, tmp_path):
    result = run("--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    held_out, train, rest = result.stdout.splitlines()
    assert train.split() == ["3", "tokens", str(tmp_path / "pocket-small" / "train-00.npy")]
    assert held_out.split() == ["2", "tokens", str(tmp_path / "pocket-small" / "held-out.npy")]
    assert rest.startswith("1 documents, 1 held out, 1 licences: ")


def test_json(run, tmp_path):
    content = json.loads(run("--out", str(tmp_path), "--tokenizer", "gpt2", "--json").stdout)
    assert content["folder"] == str(tmp_path / "gpt2")
    assert content["files"]["train-00.npy"]["tokens"] == 3


def test_weights_are_packed_where_they_are_asked_for(run, tmp_path, monkeypatch):
    beside = lambda folder: (folder / "weights").write_bytes(b"1234")
    monkeypatch.setattr(carried, "beside", lambda name, sources: (beside, {}))
    line = run("--out", str(tmp_path), "--weights").stdout.splitlines()[2]
    assert line.split() == ["4", "bytes", str(tmp_path / "pocket-small" / "weights")]


def test_a_second_time_it_refuses_in_one_line(run, tmp_path):
    run("--out", str(tmp_path))
    result = run("--out", str(tmp_path))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "is there already" in result.stderr
