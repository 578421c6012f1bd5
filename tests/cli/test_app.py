"""The command line: the list of commands, help, how errors are said. What the commands call is tested elsewhere."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_condensations import made
from safetensors.torch import save_file
from typer.testing import CliRunner

import decondense
from decondense import corpora, surveys
from decondense.cli import app, doctor, readiness
from decondense.per_token import TokenCosines


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app.app, [str(a) for a in arguments])


def test_reproduce_passes_its_options_on(run, monkeypatch):
    calls = []
    monkeypatch.setattr(app.runner, "reproduce", lambda *arguments: calls.append(arguments) or 1)
    assert run("reproduce").exit_code == 1
    options = "--profile ci --only fig2,figS3 --only fig7 --fresh --jobs 2 --set N=1 --set M=a --no-book"
    run("reproduce", *options.split())
    assert calls == [
        ("laptop", [], False, None, [], True),
        ("ci", ["fig2", "figS3", "fig7"], True, 2, ["N=1", "M=a"], False),
    ]


def test_reproduce_accepts_terms_once_and_for_all(run, monkeypatch):
    monkeypatch.setattr(app.runner, "reproduce", lambda *_: 0)
    assert app.assets.accepted() == {"gemma-3-270m": None}
    found = run("reproduce", "--accept-terms", "gemma-3-270m")
    assert found.exit_code == 0
    assert found.stdout.startswith("gemma-3-270m: the Gemma Terms of Use (ai.google.dev/gemma/terms) are accepted")
    assert app.assets.accepted()["gemma-3-270m"]
    wrong = run("reproduce", "--accept-terms", "gemma3-270m")
    assert (wrong.exit_code, "Did you mean 'gemma-3-270m'?" in wrong.stderr) == (2, True)


def test_an_error_is_one_line(run):
    result = run("reproduce", "--profile", "lap")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: Unknown profile 'lap'. Did you mean 'laptop'?")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("measure gpt2 --n 0", "--n"),
        ("measure gpt2 --nosuch", "--nosuch"),
        ("measure", "MODEL"),
        ("measuer gpt2", "measuer"),
        ("compare one", "Missing argument"),
        ("doctor --profile lap", "'lap'. Did you mean 'laptop'?"),
        ("train", "Give a file"),
        ("train --model gtp2 --corpus imdb --steps 1", "Unknown model 'gtp2'"),
    ],
)
def test_wrong_usage_is_json_where_json_is_asked_for(run, words, said):
    result = run(*words.split(), "--json")
    assert result.exit_code == 2
    content = json.loads(result.stdout)
    assert content["status"] == 2
    assert said in content["error"]
    assert run(*words.split()).stdout == ""


def test_a_wrong_name_is_refused_without_torch():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from decondense.cli.app import app\n"
        "for words in ['measure gtp2', 'compare gtp2 gpt2', 'train --model gtp2 --corpus imdb --steps 1',\n"
        "              'measure gpt2 --dtype half', 'measure gpt2 --sources locl']:\n"
        "    assert CliRunner().invoke(app, words.split()).exit_code == 2, words\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("debug", "raised"), [("1", ValueError), ("0", SystemExit), ("off", SystemExit)])
def test_debug_shows_the_traceback(run, monkeypatch, debug, raised):
    monkeypatch.setenv("DECONDENSE_DEBUG", debug)
    assert type(run("reproduce", "--profile", "lap").exception) is raised


def test_the_help_says_each_exit_status(run):
    said = " ".join(run("--help").output.split())
    assert "1 something failed while it ran, or doctor found that measuring, or the chosen profile, cannot" in said


@pytest.mark.parametrize(("built", "status"), [(True, 0), (False, 1)])
def test_book(run, monkeypatch, built, status):
    asked = []
    monkeypatch.setattr(app.runner, "build_book", lambda root, profile, _: asked.append((root, profile)) or built)
    assert run("book", "--profile", "ci").exit_code == status
    assert asked == [(Path(__file__).parents[2], "ci")]


# --- help -----------------------------------------------------------------------------------------------------------

COMMANDS = [command.name or command.callback.__name__ for command in app.app.registered_commands]
WITH_EXAMPLES = ("measure", "compare", "doctor", "cache", "reproduce")
WITH_OWN = ("train", "campaign")  # theirs run in tests of their own
HEAVY = {"torch", "transformers", "datasets", "numpy", "scipy", "pandas", "matplotlib", "lm_eval", "psutil"}


def test_no_heavy_package_is_imported_for_help():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from decondense.cli.app import app\n"
        f"for words in [['--help'], ['--version'], *([name, '--help'] for name in {COMMANDS})]:\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0, words\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version(run):
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"decondense {decondense.__version__}\n")


def examples(run, command):
    """The command lines that the help of a command shows, as words."""
    lines = [line.strip() for line in run(command, "--help").output.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"decondense {command}")]


@pytest.mark.parametrize("charset", ["utf-8", "ascii"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(monkeypatch, command, charset):
    monkeypatch.setenv("COLUMNS", "80")
    output = CliRunner(charset=charset).invoke(app.app, [command, "--help"]).output
    assert max(map(len, output.splitlines())) <= 80
    shown = [line.strip() for line in output.splitlines() if line.strip().startswith("decondense ")]
    assert (len(shown) >= 3) == (command in (*WITH_EXAMPLES, *WITH_OWN))


@pytest.mark.parametrize("command", WITH_EXAMPLES)
def test_every_example_of_the_help_runs(run, monkeypatch, tmp_path, command):
    """Through the parser, the door and the files; measurements, notebooks and the network are stood in for."""
    shown = examples(run, command)
    assert shown
    stood_in(monkeypatch, tmp_path)
    for words in shown:
        result = run(*words)
        assert result.exit_code == 0, (words, result.output, result.exception)
    if command == "measure":
        assert (tmp_path / "pocket" / "report.html").is_file()


def stood_in(monkeypatch, folder):
    monkeypatch.chdir(folder)
    for name in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.setenv(name, "")
    (folder / "my-model").mkdir()
    (folder / "my-model" / "config.json").write_text("{}")
    for name in "ab":
        (folder / f"{name}.txt").write_text(f"text {name}")
    (folder / "book.txt").write_text("word " * 20 * 1024)
    (folder / "reviews.csv").write_text("stars,review\n5,some words\n")
    density = np.ones((3, 16))
    settings = {"texts": "x", "model": {"family": "toy", "parameters": 1}}
    result = lambda name: made([[0.1, 0.2, 0.3], [0.2, 0.1, 0.3]], name, density, **settings)
    for side in ("before", "after"):
        result("my-model").save(folder / side / "my-model.npz")
    monkeypatch.setattr(surveys, "by_name", lambda name, *_, **how: result(name))
    tokens = TokenCosines(["a", "b"], np.arange(2), np.zeros(2, bool), (0, 1, 2), np.ones((3, 2)))
    monkeypatch.setattr(surveys, "token_cosines", lambda *_, **how: [tokens])
    (folder / "vllm-states").mkdir()
    states = {"hidden_states": torch.rand(9, 3, 8), "token_ids": torch.arange(9)}
    save_file(states, folder / "vllm-states" / "0.safetensors")
    monkeypatch.setattr(corpora, "load", lambda name, sources: corpora.Corpus(name, ["two words\n"] * 20_000, "x", "0"))
    monkeypatch.setattr(app.runner, "reproduce", lambda *_: 0)
    monkeypatch.setattr(doctor, "_root", lambda: Path(__file__).parents[2])
    monkeypatch.setattr(doctor, "machine_here", lambda: readiness.Machine(64, 640, 9_999, "", ""))
    monkeypatch.setattr(readiness, "hub_refusal", lambda: "")
    monkeypatch.setattr(readiness, "pypi_refusal", lambda: "")
