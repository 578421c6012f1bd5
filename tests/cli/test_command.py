"""What all commands share: exit status, errors in one line, JSON."""

import json
import os
import sys
import warnings

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


COMMANDS = (  # what was typed in a folder that holds gpt2/, ck/smollm2-135m-instruct/, tiny/, t.txt; what is recorded
    ("measure ck/smollm2-135m-instruct", "measure ck/smollm2-135m-instruct"),
    ("measure ck//smollm2-135m-instruct/", "measure ck/smollm2-135m-instruct"),
    ("measure ./tiny tiny/ .", "measure ./tiny tiny ."),
    ("measure gpt2 GPT2", "measure ./gpt2 GPT2"),  # the second is no folder: the model
    ("measure some/model --texts=ck/../t.txt --out new/deep", "measure some/model --texts t.txt --out new/deep"),
    ("measure {here}/gpt2 --tokenizer {here}/tiny", "measure PATH/TO/gpt2 --tokenizer PATH/TO/tiny"),
    ("measure --states {here}/gone --out={here}/new/", "measure --states PATH/TO/gone --out PATH/TO/new"),
    ("compare {here}/a/m.npz {here}/b/m.npz", "compare PATH/TO/m.npz PATH2/TO/m.npz"),
    ("compare {here}/a/m.npz {here}/a//m.npz", "compare PATH/TO/m.npz PATH/TO/m.npz"),
    ("compare a/m.npz b/m.npz", "compare a/m.npz b/m.npz"),
)


@pytest.mark.parametrize(("typed", "recorded"), COMMANDS)
def test_the_command_line_of_a_report_means_the_same_files_and_hides_folders(tmp_path, monkeypatch, typed, recorded):
    for folder in ("gpt2", "ck/smollm2-135m-instruct", "tiny"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "t.txt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/decondense", *typed.format(here=tmp_path).split()])
    assert command.command_line() == f"decondense {recorded}"


def test_words_with_blanks_are_quoted(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["decondense", "measure", "a b", "--max-length", "64"])
    assert command.command_line() == "decondense measure 'a b' --max-length 64"


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


def test_sources_are_read_with_or_without_spaces():
    assert command.places("local, hub ,pypi") == ("local", "hub", "pypi")


def test_json_has_no_nan_and_no_numpy(capsys):
    command.print_json({"mu": np.array([0.5, np.nan]), "n": np.int64(3), "low": float("inf"), "name": "x"})
    assert json.loads(capsys.readouterr().out) == {"mu": [0.5, None], "n": 3, "low": None, "name": "x"}


def test_quiet_and_json_print_no_table(capsys):
    command.console(quiet=True).print("a")
    command.console(as_json=True).print("b")
    command.console().print("c")
    assert capsys.readouterr().out == "c\n"


def test_what_libraries_print_goes_to_standard_error(capsys):
    with command.plainly():
        print("a library")
        warnings.warn("two\nlines", stacklevel=1)
    assert capsys.readouterr() == ("", "a library\nwarning: two lines\n")


@pytest.mark.parametrize(
    ("terminal", "silent", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_progress_bars_are_for_terminals(monkeypatch, terminal, silent, shown):
    for name in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert command.show_progress(silent) is shown
    assert os.environ["TQDM_DISABLE"] == ("" if shown else "1")


# --- what went wrong, as JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ValueError("no such\nmodel"), typer.Exit, {"error": "no such model", "status": 2}),
        (KeyboardInterrupt(), typer.Exit, {"error": "Interrupted.", "status": 130}),
        (KeyError("x"), KeyError, {"error": "KeyError: 'x' (DECONDENSE_DEBUG=1 shows where)", "status": 1}),
        (OSError(), OSError, {"error": "OSError:  (DECONDENSE_DEBUG=1 shows where)", "status": 1}),
    ],
)
def test_an_error_is_the_one_json_object(monkeypatch, capsys, error, raised, said):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)

    @command.said_plainly
    def fails(as_json=False):
        raise error

    with pytest.raises(raised):
        fails(as_json=True)
    assert json.loads(capsys.readouterr().out) == said
    with pytest.raises(raised):
        fails()
    assert capsys.readouterr().out == ""


def test_debug_prints_the_json_too(monkeypatch, capsys):
    monkeypatch.setenv("DECONDENSE_DEBUG", "1")
    with pytest.raises(ValueError, match="invalid literal"):
        command.said_plainly(lambda as_json: int("x"))(as_json=True)
    assert json.loads(capsys.readouterr().out)["status"] == 1


def test_nothing_that_a_terminal_obeys_is_printed(monkeypatch, capsys):
    exit_of(ValueError("no model \x1b[31mred\x07"), monkeypatch)
    command.say("half a\rline")
    with command.plainly():
        warnings.warn("a \x1b]0;title\x07 warning", stacklevel=1)
    said = ("error: no model \\x1b[31mred\\x07", "half a\\rline", "warning: a \\x1b]0;title\\x07 warning")
    assert capsys.readouterr().err.splitlines() == list(said)


def test_the_command_line_of_a_report_can_be_written(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["decondense", "measure", "a\udcffb\x1b"])
    assert command.command_line().encode() == rb"decondense measure 'a\udcffb\x1b'"
