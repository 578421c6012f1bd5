"""What all commands share: exit status, errors in one line, JSON."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer

from decondense import command


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


def test_json_has_no_nan_and_no_numpy(capsys):
    command.print_json({"mu": np.array([0.5, np.nan]), "n": np.int64(3), "low": float("inf"), "name": "x"})
    assert json.loads(capsys.readouterr().out) == {"mu": [0.5, None], "n": 3, "low": None, "name": "x"}


def test_quiet_and_json_print_no_table(capsys):
    command.console(quiet=True).print("a")
    command.console(as_json=True).print("b")
    command.console().print("c")
    assert capsys.readouterr().out == "c\n"
