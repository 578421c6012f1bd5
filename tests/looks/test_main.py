"""The table, the score and the exit status, from findings."""

import pytest
from looks import __main__ as looks
from looks import browser
from looks.pages import ACCESSIBILITY, Finding

FOUND = [
    Finding("book/a", "alt text", "light", "img x.png"),
    Finding("book/a", "alt text", "phone", "img x.png"),
    Finding("book/a", "overflow", "phone", "table"),
]


def test_the_score_is_the_share_of_the_checks_on_accessibility_that_pass():
    assert looks.score(FOUND, "book/a") == pytest.approx(1 - 1 / len(ACCESSIBILITY))
    assert looks.score(FOUND, "book/b") == 1


def test_the_table_counts_a_finding_once_whatever_shows_it():
    head, a, b = looks.table(FOUND, ["book/a", "book/b"]).splitlines()
    assert head.split() == ["page", "score", "alt", "text", "overflow"]
    assert a.split() == ["book/a", "92%", "1", "1"]
    assert b.split() == ["book/b", "100%", ".", "."]


def test_details_name_the_modes():
    assert looks.details(FOUND).splitlines()[0] == "book/a: alt text (light, phone): img x.png"


def test_the_report_fails_where_anything_was_found(capsys):
    assert looks.report(FOUND, ["book/a", "book/b"], 2) == 1
    assert "2 pages (2 in the table of contents)" in capsys.readouterr().out
    assert looks.report([], ["book/a"], 1) == 0


@pytest.fixture
def root(tmp_path, monkeypatch):
    for folder in ("notebooks", "build/ci/book/book", "build/ci/staging"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "01_a_b.ipynb").touch()
    (tmp_path / "build/ci/staging/_toc.yml").write_text("root: book/intro\nparts:\n- chapters:\n  - file: book/faq\n")
    monkeypatch.setattr(looks, "repository_root", lambda: tmp_path)
    return tmp_path


def test_every_notebook_is_to_have_a_page(root):
    found = looks.contents(root / "build" / "ci", root / "notebooks")
    assert found == ["book/intro", "book/faq", "notebooks/01_a_b"]


def test_without_a_browser_it_is_skipped_with_the_reason(root, monkeypatch, capsys):
    monkeypatch.setattr(browser, "find", lambda: None)
    assert looks.main(["--profile", "ci"]) == 0
    assert "no Chromium" in capsys.readouterr().out


def test_without_a_book_it_says_how_to_build_one(root):
    with pytest.raises(SystemExit, match=r"No book under .*nox -s reproduce -- --profile paper"):
        looks.main(["--profile", "paper"])
