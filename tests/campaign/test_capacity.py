"""The item `capacity`: as many runs as the time holds, which the next call and the page find again."""

import pytest

from decondense import records
from decondense.campaign import capacity
from decondense.chapters.capacity import larger, training
from decondense.runs import items

ENTRY = items.entry("capacity", True)


@pytest.fixture(autouse=True)
def own_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))


def make(seconds=600.0):
    said = []
    return capacity.make(ENTRY, True, seconds, said.append), said


def test_all_runs_are_made_and_the_next_call_finds_them(tmp_path, monkeypatch):
    done, said = make()
    assert done
    assert said[-1] == "capacity: 8 of 8 runs are done."
    assert len(list(tmp_path.glob("capacity-*.json"))) == 8
    monkeypatch.setattr(training, "_trained", lambda config: pytest.fail("it has a record"))
    assert make() == (True, said[-1:])


def test_the_biographies_come_first_and_whole_seeds_first():
    every = list(larger.cases(ENTRY))
    assert [(case.asked["data"]["kind"], case.seed, case.label) for case in every[:5]] == [
        ("lives", 0, "train"), ("lives", 0, "dispersion"), ("lives", 1, "train"), ("lives", 1, "dispersion"),
        ("random", 0, "train"),
    ]  # fmt: skip


def test_the_page_shows_the_runs_that_it_finds(monkeypatch):
    monkeypatch.setattr(items, "entry", lambda name: ENTRY)
    assert larger.shown(larger.found()) == "No GPU records yet: `decondense campaign --only capacity` makes them."
    make()
    made = larger.found()
    assert {kind: {bits: len(runs) for bits, runs in found.items()} for kind, found in made.items()} == {
        "lives": {0.25: 4}, "random": {0.5: 4},
    }  # fmt: skip
    assert larger.shown(made).caption == "On a CPU, 2 seeds."
    assert records.read(made["lives"][0.25][0].record.path) == made["lives"][0.25][0].record
