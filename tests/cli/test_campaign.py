"""The command `campaign`: the same as `python -m decondense.campaign`."""

import pytest
from typer.testing import CliRunner

from decondense.campaign import command
from decondense.cli import app


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    return lambda *arguments: CliRunner().invoke(app.app, ["campaign", *arguments])


def test_the_list(run):
    result = run("--list")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == command.listing()


def test_what_is_asked_is_passed_on(run, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(command, "run", lambda *given, say: seen.append(given) or say("done"))
    result = run("--minutes", "9", "--out", str(tmp_path), "--only", "family", "--tiny")
    assert (result.exit_code, result.stdout) == (0, "done\n")
    assert seen == [(tmp_path, 9.0, "family", True)]


def test_every_example_of_the_help_runs(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run", lambda *given, say: say(""))
    lines = [line.split() for line in run("--help").output.splitlines()]
    examples = [words[2:] for words in lines if words[:2] == ["decondense", "campaign"]]
    assert len(examples) == 4
    assert [run(*words).exit_code for words in examples] == [0] * 4


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Give --list; or --minutes and --out."),
        (("--minutes", "0", "--out", "new"), "--minutes must be above 0, got 0."),
        (("--minutes", "9", "--out", "new", "--only", "famly"), "Unknown item 'famly'. Did you mean 'family'?"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path, monkeypatch, arguments, why):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {why}")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
