"""The page Performance, from records that are written out here."""

import json
import re
from pathlib import Path

import pytest

from decondense.base import timing
from decondense.bench import family, losses, measurement, page, plots
from decondense.bench.measurement import GIVEN, OURS, PEERS_FORWARD, REAL, THEIRS

ROOT = Path(__file__).parents[2]
MIB = 2**20
PROVENANCE = {
    "utc": "2026-01-02T03:04:05+00:00",
    "hardware": {"system": "Abacus", "cores": 2, "memory_gib": 4.0},
    "packages": {"torch": "2.9.1", "transformers": "5.0", "numpy": "2.0"},
}


def record(experiment, config, results):
    config = {"threads": 2, "seed": 0, "rounds": 1} | config
    return {"experiment": experiment, "config": config, "results": results, "provenance": PROVENANCE}


def measured(layers=48, features=1600, texts=100, kind=GIVEN, ours=1.0, mib=4):
    row = {"forward": [1, 10 * MIB], PEERS_FORWARD: [2, 20 * MIB], THEIRS: [42, 820 * MIB]}
    row |= {case: [1 + ours, (10 + mib) * MIB] for case in OURS}
    agreement = {"mu": 1e-7, "rho": 0.0, "tau": 0.0, "histogram": 1e-5}
    config = {"kind": kind, "layers": layers, "features": features, "texts": texts}
    return record("bench-measurement", config, {"rows": [row, row], "agreement": agreement})


def loss(tokens=2048, features=1024, threads=2, exact=1.2):
    cost = {losses.PRODUCTS: 1.0, losses.NAIVE: 3.0, losses.EXACT: exact, losses.FIRST: 0.1}
    memory = {losses.NAIVE: tokens**2, losses.EXACT: tokens * 4096}
    row = {name: [seconds, memory.get(name, MIB)] for name, seconds in cost.items()}
    return record("bench-loss", {"tokens": tokens, "features": features, "threads": threads}, {"rows": [row]})


@pytest.fixture
def records():
    alone = {losses.FIRST + losses.ALONE: [0.02, MIB], losses.FIRST: [2.01, MIB]}
    step = {losses.PLAIN: [2.0, MIB]} | alone
    short = {measurement.ALONE: [3.0, MIB], measurement.TOGETHER: [1.5, MIB]}
    start = {"bare Python": [0.01, 0], "import decondense": [0.05, 0], "decondense --help": [0.2, 0]}
    each = {name: [0.03, MIB] for name in family.OF} | {name + family.BARE: [0.02, 0] for name in family.OF}
    found = [measured(), measured(texts=10), measured(12, 768, 1, REAL), loss(), loss(4096), loss(features=256)]
    found += [
        record("bench-step", {"tokens": 1024}, {"rows": [step]}),
        record("bench-family", {"tokens": 1024, "features": 768}, {"rows": [each]}),
        record("bench-short-texts", {"tokens": 32, "texts": 100}, {"rows": [short], "mu": 2e-8}),
        record("bench-loaded", {"busy": 0, "threads": 2}, {"rows": [{losses.NAIVE: [2, 4], losses.EXACT: [1, 1]}]}),
        record("bench-loaded", {"busy": 2, "threads": 2}, {"rows": [{losses.NAIVE: [2, 4], losses.EXACT: [3, 5]}]}),
        record("bench-loaded", {"busy": 2, "threads": 1}, {"rows": [{losses.NAIVE: [4, 4], losses.EXACT: [1, 1]}]}),
        record("bench-start", {}, {"rows": [start], "corpus": [{"corpus": [40.0, 0]}]}),
    ]
    return [r | {"file": f"{r['experiment']}-{i}.json"} for i, r in enumerate(found)]


@pytest.fixture
def book(tmp_path, records):
    """A folder with the prose of this book and these records."""
    (tmp_path / "results").mkdir()
    (tmp_path / "performance.md").write_bytes((ROOT / "book" / "performance.md").read_bytes())
    for r in records:
        (tmp_path / "results" / r["file"]).write_text(json.dumps({k: v for k, v in r.items() if k != "file"}))
    return tmp_path


def test_beyond_is_what_the_forward_pass_of_the_same_side_leaves(records):
    seconds, memory = measurement.beyond(records[0])
    assert seconds.iloc[0].to_dict() == dict.fromkeys(OURS, 1) | {THEIRS: 40}
    assert memory.to_dict() == dict.fromkeys(OURS, 4) | {THEIRS: 800}


def test_cheaper_is_the_ratio_of_both(records):
    time, memory = page.cheaper(records[0], "pooled")
    assert time == (40, 40, 40)
    assert memory == (200, 200, 200)


def test_memory_below_the_resolution_counts_as_the_resolution():
    assert page.cheaper(measured(mib=0), "pooled")[1].median == 800 / page.RESOLUTION


def test_targets_are_held_against_their_limits(records):
    met = {target.target: target.met for target in page.targets(records)}
    asked = lambda *words: next(value for text, value in met.items() if all(word in text for word in words))
    assert asked("time", "`mean cosine`") is True
    assert asked("memory", "`averaged`") is True
    assert asked("mu of both sides") is True
    assert asked("rho and tau") is True
    assert asked("matrix products", "1.5") is True
    assert asked("`exact`", "grows") is True
    assert asked("`as published`", "grows") is None
    assert asked("alone") is True
    assert asked("`exact` over `as published`, 2 threads, other processes: 2") is False
    assert not any("other processes: 0" in text for text in met)
    assert asked("with the forward pass", "12 x 768, texts: 1") is None
    assert asked("import") is True
    assert asked("corpus") is False


@pytest.mark.parametrize(("change", "word"), [(measured(ours=10), "time"), (measured(mib=100), "memory")])
def test_targets_are_missed_where_they_are(change, word):
    rows = [t for t in page.targets([change]) if t.met is False]
    assert rows
    assert all(word in row.target for row in rows)
    assert not page.targets([loss(exact=1.6)])[6].met


def test_what_was_not_measured_is_said():
    for target in page.targets([measured(texts=10)])[:6]:
        assert (target.measured, target.met) == ("not measured", None)


def test_growth_is_the_power_of_n(records):
    assert page.growth(records, losses.NAIVE) == pytest.approx(2)
    assert page.growth(records, losses.EXACT) == pytest.approx(1)
    assert page.growth(records[:4], losses.EXACT) is None


@pytest.mark.parametrize(
    ("ratio", "seen"),
    [((1.5, 1.25, 2.0), "1.5 [1.25, 2]"), ((3.0, 3.0, 3.0), "3"), ((1234.5, 0.5, 2e4), "1,234 [0.5, 20,000]")],
)
def test_ratio_is_shown_with_its_range(ratio, seen):
    assert page.show(timing.Ratio(*ratio)) == seen


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
