"""The scorecard page: counts, links, what counts, and the committed results."""

import json
from pathlib import Path

import pytest

from decondense import scorecard
from decondense.scorecard import Page

CSS = Path(__file__).resolve().parents[1] / "book" / "_static" / "book.css"
STAMP = {"seconds": 1.0, "utc": "2026-01-01T00:00:00", "versions": {"python": "3.11"}}


def verdicts(name, records=(), only=None):
    claims = [
        {"claim": f"rho < {i} & | falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5", "tolerance": "0.1"}
        | {"verdict": only or verdict, "why": "because"}
        for i, verdict in enumerate(scorecard.BADGES)
    ]
    return {"notebook": name, "profile": "ci", "claims": claims, "records": list(records)}


@pytest.fixture
def run(tmp_path):
    """(pages, folder of records) of a run with one notebook that is done and one that failed."""
    records = tmp_path / "records"
    records.mkdir()
    pages = []
    for name, stamp in (("00_start_here", STAMP), ("06_fig3_widths", {})):
        executed = tmp_path / f"{name}.ipynb"
        executed.write_text("{}")
        pages.append(Page(tmp_path / "notebooks" / f"{name}.ipynb", executed, stamp))
    (records / "verdicts-start.json").write_text(json.dumps(verdicts("00_start_here", ["start-seed0-abc.json"])))
    (records / "verdicts-fig3.json").write_text(json.dumps(verdicts("06_fig3_widths", ["gone.json"])))
    arrays = {"file": "start-seed0-abc-1.npz", "sha256": "not looked at here"}
    (records / "start-seed0-abc.json").write_text(json.dumps({"experiment": "start", "arrays": arrays}))
    (records / "start-seed0-abc-1.npz").write_bytes(b"arrays")
    return pages, records


def test_scorecard_counts_links_and_escapes(run):
    pages, records = run
    found = scorecard.read_verdicts(pages, records)
    assert list(found) == ["00_start_here"], "verdicts that a failed notebook left behind must not count"
    page = scorecard.scorecard("ci", pages, found, {})
    assert "of 4 claims of the paper" in page
    assert "Notebooks: 1 done, 1 failed, 0 not executed." in page
    assert "### [](../notebooks/00_start_here.ipynb)" in page
    assert "rho &lt; 0 &amp; | falls" in page
    assert '<a href="../records/start-seed0-abc.json">' in page
    assert "The committed run" not in page


def test_every_verdict_has_a_badge_that_the_style_sheet_knows():
    for verdict, css in scorecard.BADGES.items():
        assert f'<span class="verdict {css}">{verdict}</span>' in scorecard.badge(verdict)
        assert f".{css} " in CSS.read_text()


def test_an_unknown_verdict_is_refused(run):
    pages, records = run
    (records / "verdicts-start.json").write_text(json.dumps(verdicts("00_start_here", only="mostly")))
    with pytest.raises(ValueError, match=r"verdicts-start\.json: 'mostly'"):
        scorecard.read_verdicts(pages, records)


def test_kept_results_are_shown_beside_the_run(run, tmp_path):
    pages, records = run
    (records / "verdicts-fig3.json").unlink()
    committed = tmp_path / "results"
    written = {path.name for path in scorecard.keep(records, committed)}
    assert written == {"verdicts-start.json", "start-seed0-abc.json", "start-seed0-abc-1.npz"}
    page = scorecard.scorecard("ci", pages, {}, scorecard.read_committed(committed))
    assert "of 0 claims of the paper" in page
    assert "The committed run" in page
    assert '<a href="../results/start-seed0-abc.json">' in page


def test_keeping_leaves_the_records_of_benchmarks(run, tmp_path):
    _, records = run
    (records / "verdicts-fig3.json").unlink()
    committed = tmp_path / "results"
    committed.mkdir()
    for name in ("bench-loss-seed0-abc.json", "old-seed0-abc.json"):
        (committed / name).write_text(name)
    names = [path.name for path in scorecard.keep(records, committed)]
    assert "bench-loss-seed0-abc.json" in names
    assert "old-seed0-abc.json" not in names
    assert (committed / "bench-loss-seed0-abc.json").read_text() == "bench-loss-seed0-abc.json"


def test_keeping_needs_every_record(run, tmp_path):
    _, records = run
    with pytest.raises(FileNotFoundError, match=r"gone\.json.*--only fig3 --fresh"):
        scorecard.keep(records, tmp_path / "results")
    with pytest.raises(FileNotFoundError, match="reproduce"):
        scorecard.keep(tmp_path / "empty", tmp_path / "results")
