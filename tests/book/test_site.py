"""The book that is made while notebooks run: when it is made, and the lines about it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from decondense.book import build, children, site
from decondense.book.site import Site

BEGUN = "2026-01-02T03:04:05+00:00"
STATES = {"a": "already done", "b": "running", "c": "waiting"}


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of the profile `ci` whose process is a stand-in: `asked` lists its arguments, `returncode` ends it."""
    folder = tmp_path / "build" / "ci"
    made = Site(folder, BEGUN)
    made.log.parent.mkdir(parents=True)
    made.log.write_text("RuntimeError: a page is gone\n")
    process = SimpleNamespace(returncode=None, stdin=SimpleNamespace(close=lambda: None))
    process.poll = lambda: process.returncode
    asked = []
    monkeypatch.setattr(children, "start", lambda module, arguments, *_: asked.append(arguments) or process)
    return SimpleNamespace(site=made, process=process, asked=asked)


def end(book, returncode, seconds=0.0):
    book.process.returncode = returncode
    book.site.began -= seconds
    return site.poll(book.site)


def test_a_first_book_is_made_whole_and_later_ones_again(book):
    site.start(book.site, STATES, None)
    assert book.asked == [["ci", json.dumps([BEGUN, ["b", "c"]]), "false"]]
    assert not site.poll(book.site)
    assert site.line(book.site) == "book: being made"
    assert end(book, 0)
    assert book.site.index == book.site.folder / "book" / "index.html"
    assert site.line(book.site) == "book: 1 of 3 pages of these notebooks are of this run"
    assert not site.poll(book.site)  # told once
    site.start(book.site, STATES | {"b": "done"}, None)
    assert book.asked[1:] == [["ci", json.dumps([BEGUN, ["c"]]), "true"]]
    assert site.line(book.site) == "book: being made again"


def test_a_book_that_fails_says_why_and_is_made_whole_next_time(book):
    site.start(book.site, STATES, None)
    assert end(book, 1)
    assert (book.site.index, book.site.why) == (None, "RuntimeError: a page is gone")
    assert "look into build/ci/logs/book.log" in site.line(book.site)
    site.start(book.site, STATES, None)
    assert book.asked[-1][-1] == "false"


@pytest.mark.parametrize(
    ("states", "later", "due"),
    [
        (STATES | {"b": "done"}, 1000, True),
        (STATES | {"b": "failed", "c": "blocked"}, 1000, True),
        (STATES | {"c": "running"}, 1000, False),  # nothing new to show
        (STATES, 1000, False),
        (STATES | {"b": "done"}, 39, False),  # it took ten seconds: it is left for forty
        (STATES | {"b": "done"}, 41, True),
    ],
)
def test_it_is_made_again_when_a_notebook_has_ended_and_not_all_the_time(book, states, later, due):
    site.start(book.site, STATES, None)
    assert not site.is_due(book.site, states, book.site.began + 10**6)  # one at a time
    end(book, 0, seconds=10.0)
    book.site.seconds = 10.0
    assert site.is_due(book.site, states, book.site.ended + later) == due


@pytest.mark.parametrize("again", [True, False])
def test_the_process_makes_the_book_of_the_run(monkeypatch, again):
    monkeypatch.setattr(children, "end_with_parent", lambda: None)
    monkeypatch.setattr(site.os, "nice", lambda by: None)
    monkeypatch.setattr(site, "repository_root", Path.cwd)
    asked = []
    monkeypatch.setattr(build, "build", lambda *arguments: asked.append(arguments))
    site.main(["ci", json.dumps([BEGUN, ["b"]]), json.dumps(again)])
    assert asked == [("ci", (BEGUN, frozenset("b")), again)]


def test_the_process_tells_what_failed_in_one_line(monkeypatch):
    def fails(*_):
        raise RuntimeError("a page is gone")

    monkeypatch.setattr(children, "end_with_parent", lambda: None)
    monkeypatch.setattr(site, "repository_root", Path.cwd)
    monkeypatch.setattr(build, "build", fails)
    with pytest.raises(SystemExit, match="RuntimeError: a page is gone"):
        site.main(["ci", json.dumps([BEGUN, []]), "false"])
