"""What a run of notebooks says of itself."""

import io

import pytest
from rich.console import Console

from decondense.book import progress
from decondense.book.execute import Task


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (3.4, "0:03"), (59.9, "1:00"), (3723.0, "1:02:03")])
def test_clock(seconds, text):
    assert progress.clock(seconds) == text


def test_a_log_gets_a_sign_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0)
    task = Task(tmp_path, "ci", tmp_path / "00_good_one.ipynb", {}, estimate=90.0)
    console = Console(file=io.StringIO(), width=200)
    with progress.display([task], console, lambda: ["downloads: 1 of 2 here", "about 3:00 left"]) as show:
        task.state, task.seconds = "running", 61.0
        show()
        show()
    said = console.file.getvalue()
    assert said.count("00_good_one running 1:01 of about 1:30") == 2
    assert said.count("downloads: 1 of 2 here; about 3:00 left") == 2


def test_a_terminal_has_the_lines_below_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "is_live", lambda console: True)
    task = Task(tmp_path, "ci", tmp_path / "00_good_one.ipynb", {}, estimate=90.0)
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    with progress.display([task], console, lambda: ["about 3:00 left"]) as show:
        task.state = "running"
        show()
    said = console.file.getvalue()
    assert said.rindex("00_good_one") < said.rindex("running") < said.rindex("about 3:00 left")
