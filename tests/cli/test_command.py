"""What all commands share: exit status, errors in one line, JSON."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer

from decondense.cli import command


def exit_of(error, monkeypatch):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)

    @command.said_plainly
    def fails():
        raise error

    with pytest.raises(typer.Exit) as raised:
        fails()
    return raised.value.exit_code


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no such model"), 2), (OSError("disk full"), 2), (KeyboardInterrupt(), 130), (typer.Exit(1), 1)],
)
def test_exit_status(error, status, monkeypatch):
    assert exit_of(error, monkeypatch) == status


def test_an_error_is_one_line_without_a_traceback(monkeypatch, capsys):
    exit_of(ValueError("give --text"), monkeypatch)
    assert capsys.readouterr() == ("", "error: give --text\n")


def test_an_error_of_several_lines_is_said_in_one(monkeypatch, capsys):
    exit_of(ValueError("give\n  --text"), monkeypatch)
    assert capsys.readouterr().err == "error: give --text\n"


def test_the_command_line_that_makes_it_again(tmp_path, monkeypatch):
    def measure(
        model: Annotated[list[str], typer.Argument()],
        texts: Annotated[list[Path] | None, typer.Option("--texts")] = None,
        max_length: Annotated[int, typer.Option()] = 512,
        accept: Annotated[bool, typer.Option("--accept-terms")] = False,
        quiet: command.Quiet = False,
    ):
        pass

    given = {"model": ["gpt2"], "texts": None, "max_length": 512, "accept": False, "quiet": True}
    assert command.again(measure, given) == "decondense measure gpt2"
    (tmp_path / "mine").mkdir()
    more = {"model": [str(tmp_path / "mine"), "a b"], "texts": [tmp_path / "x.txt"], "max_length": 64, "accept": True}
    expected = "decondense measure mine 'a b' --texts x.txt --max-length 64 --accept-terms"
    assert command.again(measure, given | more) == expected


def test_with_quiet_only_what_is_said_is_printed(monkeypatch, capsys):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)

    @command.said_plainly
    def fails(quiet=False):
        print("a progress bar", file=sys.stderr)
        command.say("a model failed")
        raise ValueError("give --text")

    for quiet, expected in ((True, ""), (False, "a progress bar\n")):
        with pytest.raises(typer.Exit):
            fails(quiet=quiet)
        assert capsys.readouterr() == ("", f"{expected}a model failed\nerror: give --text\n")


@pytest.mark.parametrize(("value", "on"), [("1", True), ("0", False)])
def test_debug_raises_the_error(monkeypatch, value, on):
    monkeypatch.setenv("DECONDENSE_DEBUG", value)
    with pytest.raises(ValueError if on else typer.Exit):
        command.said_plainly(lambda: int("x"))()


def test_sources_are_those_of_models():
    from decondense import models

    assert models.SOURCES == command.SOURCES == command.places("local, hub ,pypi")


def test_json_has_no_nan_and_no_numpy(capsys):
    command.print_json({"mu": np.array([0.5, np.nan]), "n": np.int64(3), "low": float("inf"), "name": "x"})
    assert json.loads(capsys.readouterr().out) == {"mu": [0.5, None], "n": 3, "low": None, "name": "x"}


def test_quiet_and_json_print_no_table(capsys):
    command.console(quiet=True).print("a")
    command.console(as_json=True).print("b")
    command.console().print("c")
    assert capsys.readouterr().out == "c\n"


def test_a_hub_that_does_not_answer_is_said_once_and_not_asked_again(monkeypatch, capsys, tmp_path):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("decondense.cli.readiness.hub_refusal", lambda: "no answer: down")
    command.spare_the_hub(["pocket-small", str(tmp_path)], "local,hub,pypi")
    command.spare_the_hub(["gpt2"], "local,pypi")
    command.spare_the_hub([None], "local,hub,pypi", "documentation")
    command.spare_the_hub([None], "local,hub,pypi", "no such data set")
    assert capsys.readouterr().err == ""
    command.spare_the_hub(["gpt2"], "local, hub")
    assert "cannot be had (no answer: down)" in capsys.readouterr().err
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["HF_DATASETS_OFFLINE"]) == ("1", "1")
    command.spare_the_hub(["gpt2"], "local, hub")
    assert capsys.readouterr().err == ""


def test_the_hub_is_spared_for_a_data_set_too(monkeypatch, capsys):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("DECONDENSE_DATA", raising=False)
    monkeypatch.setattr("decondense.cli.readiness.hub_refusal", lambda: "no answer: down")
    command.spare_the_hub([], "local,hub", "c4")
    assert "cannot be had (no answer: down)" in capsys.readouterr().err
