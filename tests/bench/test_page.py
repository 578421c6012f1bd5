"""The page Performance, from records that are written out here."""

import json
import re
from pathlib import Path

import pytest
from made_benchmarks import every, loss

from decondense.bench import page, plots

ROOT = Path(__file__).parents[2]


@pytest.fixture
def records():
    return every()


@pytest.fixture
def book(tmp_path, records):
    """A folder with the prose of this book and these records."""
    (tmp_path / "results").mkdir()
    (tmp_path / "performance.md").write_bytes((ROOT / "book" / "performance.md").read_bytes())
    for r in records:
        (tmp_path / "results" / r["file"]).write_text(json.dumps({k: v for k, v in r.items() if k != "file"}))
    return tmp_path


def test_page_has_no_comment_left_and_every_figure(book, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    page.write(book, target)
    text = (target / "performance.md").read_text()
    assert "<!--" not in text
    assert page.NO_RECORD not in text
    pictures = {path.name for path in target.glob("*.png")}
    assert pictures == {f"performance-{n}.png" for n in ("texts", "layers", "tokens", "features", "memory")}
    assert all(f"{{figure}} {name}" in text for name in pictures)
    assert "| 16 to 32 | 30 | 15 | 2 | 2.0e-08 |" in text
    assert "Abacus, 2 cores" in text
    loaded = [line for line in text.splitlines() if re.match(r"\| [12] \| [02] \|", line)]
    assert loaded == ["| 1 | 2 | 0.25 | 0.25 |", "| 2 | 0 | 0.5 | 0.25 |", "| 2 | 2 | 1.5 | 1.25 |"]
    assert "| time with the forward pass, peer over `mean cosine`, real model of 12 x 768, texts: 1 | 21 |  |" in text
    assert "| 12 x 768 | 1 | 1 | 2 | 2 | 2 | 2 | 42 | 21 |" in text
    assert text.count("bench-loss-") == 2 * 3


def test_page_without_records_says_so(book, tmp_path):
    for path in (book / "results").iterdir():
        path.unlink()
    page.write(book, tmp_path)
    text = (tmp_path / "performance.md").read_text()
    assert page.NO_RECORD in text
    assert "{figure}" not in text


def test_unknown_part_is_refused(records):
    with pytest.raises(ValueError, match=r"Unknown part of performance\.md 'cost'\. Did you mean 'costs'"):
        page.filled("<!-- cost -->", records, {})


def test_figures_have_a_line_a_case(records):
    figures = plots.figures(records)
    assert list(figures) == ["texts", "layers", "tokens", "features", "memory"]
    assert [len(axis.lines) for axis in figures["texts"][0].axes] == [4, 4]
    (axis,) = figures["tokens"][0].axes
    assert [line.get_label() for line in axis.lines] == list(loss()["results"]["rows"][0])
    assert axis.lines[0].get_xydata().tolist() == [[2048, 1], [4096, 1]]


def test_figures_take_the_records_of_most_threads(records):
    other = loss(threads=1, exact=9.0) | {"file": "x"}
    (axis,) = plots.figures([*records, other])["tokens"][0].axes
    assert 9.0 not in [y for line in axis.lines for y in line.get_ydata()]
