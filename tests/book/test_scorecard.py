"""The scorecard page: counts, links, what counts, and the committed results."""

import json

import pytest

from decondense.book import scorecard
from decondense.book.scorecard import Page

STAMP = {"seconds": 1.0, "utc": "2026-01-01T00:00:00", "versions": {"python": "3.11"}}


def verdicts(name, records=(), only=None):
    claims = [
        {"claim": f"rho < {i} & | falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5", "rule": "0.1"}
        | {"kind": "experiment", "power": "", "tests": 1, "repeats": "", "verdict": only or verdict, "why": "because"}
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
    assert summary(page) == [len(scorecard.BADGES), 0, 0]
    assert "Notebooks: 1 done, 1 failed, 0 not executed. Failed: [](../notebooks/06_fig3_widths.ipynb)." in page
    row = page.split('class="claims"')[1].split("<tr")[2]
    assert row.startswith(' data-verdict="reproduced" data-page="start" data-kind="experiment">')
    assert "rho &lt; 0 &amp; | falls" in row
    assert '<a href="../notebooks/00_start_here.html">start</a>' in row
    assert '<a href="../records/start-seed0-abc.json">' in page
    assert '<option value="experiment" selected>' in page


def summary(page):
    """How many claims each tally has."""
    rows = page.split('class="summary"')[1].split("</table>")[0].split("<tr>")[2:]
    return [int(row.rsplit("<td>", 1)[1].split("<")[0]) for row in rows]


def test_the_three_tallies_are_counted_apart_and_what_repeats_is_not(run):
    pages, records = run
    found = scorecard.read_verdicts(pages, records)
    claims = found["00_start_here"]["claims"]
    claims[0]["kind"], claims[1]["kind"], claims[2]["repeats"] = "own question", "in print", "another"
    page = scorecard.scorecard("ci", pages, found, {})
    assert summary(page) == [len(claims) - 3, 1, 1]
    row = page.split("00_start_here</a>")[1].split("</tr>")[0]
    cells = row.split("<td>")[1:4]  # experiments, in print, own
    badges = [scorecard.badge(claim["verdict"], 1) for claim in claims]
    assert [badge in cells[0] for badge in badges] == [False, False, False, True, True, True]
    assert [badges[1] in cells[1], badges[0] in cells[2]] == [True, True]
    assert "Not counted: 1 rows that repeat" in page
    assert page.count('data-kind="repeats another"') == 1
    assert page.count('data-kind="experiment"') == len(claims) - 3


def test_the_scorecard_says_what_chance_alone_would_give(run):
    pages, records = run
    found = scorecard.read_verdicts(pages, records)
    page = scorecard.scorecard("ci", pages, found, {})
    assert '"reproduced" on at most 0.05 of the 1 pages with tests' in page
    assert "here are 1." in page
    for claim in found["00_start_here"]["claims"]:
        claim["tests"] = 0
    assert "at most 0 of the 0 pages" in scorecard.scorecard("ci", pages, found, {})


def test_an_unknown_verdict_is_refused(run):
    pages, records = run
    (records / "verdicts-start.json").write_text(json.dumps(verdicts("00_start_here", only="mostly")))
    with pytest.raises(ValueError, match=r"verdicts-start\.json: 'mostly'"):
        scorecard.read_verdicts(pages, records)


def test_keeping_copies_what_the_verdicts_name(run, tmp_path):
    _, records = run
    (records / "verdicts-fig3.json").unlink()
    committed = tmp_path / "results"
    written = {path.name for path in scorecard.keep(records, committed)}
    assert written == {"verdicts-start.json", "start-seed0-abc.json", "start-seed0-abc-1.npz"}
    kept = scorecard.read_committed(committed)
    assert kept["00_start_here"]["records"] == ["start-seed0-abc.json"]


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


def test_keeping_one_page_leaves_the_others(run, tmp_path):
    _, records = run
    (records / "verdicts-fig3.json").unlink()
    committed = tmp_path / "results"
    committed.mkdir()
    (committed / "verdicts-fig7.json").write_text('{"notebook": "09_fig7", "records": ["fig7-seed0-abc.json"]}')
    (committed / "fig7-seed0-abc.json").write_text('{"arrays": {"file": "fig7-seed0-abc-1.npz"}}')
    (committed / "fig7-seed0-abc-1.npz").write_text("arrays")
    (committed / "verdicts-start.json").write_text('{"notebook": "00_start_here", "records": ["start-seed0-old.json"]}')
    (committed / "start-seed0-old.json").write_text("{}")
    assert {path.name for path in scorecard.keep(records, committed)} == {
        "verdicts-start.json", "start-seed0-abc.json", "start-seed0-abc-1.npz",
        "verdicts-fig7.json", "fig7-seed0-abc.json", "fig7-seed0-abc-1.npz",
    }  # fmt: skip


def test_keeping_needs_every_record(run, tmp_path):
    _, records = run
    with pytest.raises(FileNotFoundError, match=r"gone\.json.*--only fig3 --fresh"):
        scorecard.keep(records, tmp_path / "results")
    with pytest.raises(FileNotFoundError, match="reproduce"):
        scorecard.keep(tmp_path / "empty", tmp_path / "results")
