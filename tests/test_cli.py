"""The command line: how options are read and how errors are said. What the commands call is tested elsewhere."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import decondense
from decondense import cli


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_no_command_shows_help(run):
    assert "reproduce" in run().output


def test_reproduce_passes_its_options_on(run, monkeypatch):
    calls = []
    monkeypatch.setattr(cli.runner, "reproduce", lambda *arguments: calls.append(arguments) or 1)
    assert run("reproduce").exit_code == 1
    options = "--profile ci --only fig2,figS3 --fresh --jobs 2 --set N=1 --set M=a --no-book"
    run("reproduce", *options.split())
    assert calls == [
        ("laptop", [], False, 1, [], True),
        ("ci", ["fig2", "figS3"], True, 2, ["N=1", "M=a"], False),
    ]


def test_an_error_is_one_line(run):
    result = run("reproduce", "--profile", "lap")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: Unknown profile 'lap'. Did you mean 'laptop'?")
    assert result.stderr.count("\n") == 1


def test_debug_shows_the_traceback(run, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DEBUG", "1")
    assert isinstance(run("reproduce", "--profile", "lap").exception, ValueError)


@pytest.mark.parametrize(("built", "status"), [(True, 0), (False, 1)])
def test_book(run, monkeypatch, built, status):
    asked = []
    monkeypatch.setattr(cli.runner, "build_book", lambda root, profile, _: asked.append((root, profile)) or built)
    assert run("book", "--profile", "ci").exit_code == status
    assert asked == [(Path(__file__).parents[1], "ci")]


@pytest.fixture
def calls(monkeypatch):
    """Stands for the library: what `measure` asked of it."""
    calls = {}

    class Result:
        rho, tau, rho_interval, tau_interval = 0.9, -0.5, (0.8, 1.0), (-0.6, -0.4)

        def __init__(self):
            self.settings = {}

        def to_frame(self):
            return pd.DataFrame({"layer": [0, 1], "mu": [0.25, np.float64(1) / 3]})

        def save(self, path):
            calls["saved"] = path

        def plot(self):
            return SimpleNamespace(savefig=lambda path, **_: calls.update(plotted=path))

    def load_model(name, **options):
        if name == "absent":
            raise FileNotFoundError("absent: not here")
        calls["model"] = (name, options)
        tokenizer = None if options["weights"] == "random" else "tokenizer"
        return SimpleNamespace(model="model", tokenizer=tokenizer, provenance={"source": "a mirror", "licence": "MIT"})

    models = SimpleNamespace(load=load_model, load_tokenizer=lambda name, **_: f"tokenizer of {name}")
    corpora = SimpleNamespace(
        load=lambda name, sources: calls.update(corpus=(name, sources)) or "corpus",
        sample_texts=lambda corpus, n, first_seed: ["text"] * n,
    )
    monkeypatch.setattr(decondense, "models", models, raising=False)
    monkeypatch.setattr(decondense, "corpora", corpora, raising=False)
    monkeypatch.setitem(
        decondense.__dict__, "measure", lambda *a, **options: calls.update(measured=(*a, options)) or Result()
    )
    return calls


def test_measure_a_corpus(run, calls):
    result = run("measure", "gpt2", "--texts", 2, "--sources", "local,pypi", "--weights", "random", "--seed", 3)
    assert result.exit_code == 0, result.output
    assert calls["corpus"] == ("documentation", ("local", "pypi"))
    options = {"weights": "random", "device": None, "dtype": "float32", "sources": ("local", "pypi"), "seed": 3}
    options["accept_terms"] = False
    assert calls["model"] == ("gpt2", options)
    how = {"max_length": 512, "seed": 3, "name": "gpt2"}
    assert calls["measured"] == ("model", "tokenizer of gpt2", ["text"] * 2, how)
    assert "0.3333" in result.output
    assert "source: a mirror\nlicence: MIT" in result.output
    assert "rho = +0.900   95 % interval +0.800 to +1.000" in result.output


def test_measure_files(run, calls, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"text {name}")
    files = ("--text", tmp_path / "a", "--text", tmp_path / "b")
    outputs = ("--save", tmp_path / "x.npz", "--plot", tmp_path / "x.png")
    assert run("measure", "gpt2", *files, *outputs, "--max-length", 64).exit_code == 0
    how = {"max_length": 64, "seed": 0, "name": "gpt2"}
    assert calls["measured"][1:] == ("tokenizer", ["text a", "text b"], how)
    assert (calls["saved"], calls["plotted"]) == (tmp_path / "x.npz", tmp_path / "x.png")


def test_measure_says_what_is_missing(run, calls, tmp_path):
    result = run("measure", "absent")
    assert (result.exit_code, result.stderr) == (2, "error: absent: not here\n")
    assert "nowhere.txt" in run("measure", "gpt2", "--text", tmp_path / "nowhere.txt").stderr


def test_doctor_names_cures(run, monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path / "gone"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(cli, "_pins", lambda: {"torch": "0.1"})
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for said in ("constraints.txt has 0.1", "set it to the folder", "unset them", "CPU cores", "memory", "GPU"):
        assert said in result.output


def test_doctor_reads_the_pins():
    assert "torch" in cli._pins()
