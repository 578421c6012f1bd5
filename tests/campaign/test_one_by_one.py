"""Runs one after the other: as many as the time holds, and what the next call finds again."""

from types import SimpleNamespace

import pytest

from decondense.campaign import one_by_one

CASES = [SimpleNamespace(label="train", seed=seed, asked={"method": "sft", "seed": seed}) for seed in range(8)]


@pytest.fixture
def training(monkeypatch):
    """Runs of forty seconds by a clock of their own."""
    clock, made = [0.0], {}

    def run(**asked):
        clock[0] += 40
        made[str(asked)] = True

    monkeypatch.setattr(one_by_one.time, "monotonic", lambda: clock[0])
    return SimpleNamespace(run=run, find=lambda **asked: made.get(str(asked)))


def make(training, seconds, cases=CASES):
    said = []
    return one_by_one.make("an item", cases, training.find, training.run, seconds, said.append), said


def test_a_run_that_no_longer_fits_is_left_for_the_next_call(training):
    done, said = make(training, 100.0)
    assert (done, said[-1]) == (False, "an item: 2 of 8 runs are done. The same command goes on.")
    assert said[0] == "an item, sft, train, seed 0: 40 s at most."
    done, said = make(training, 1000.0)
    assert (done, len(said), said[-1]) == (True, 7, "an item: 8 of 8 runs are done.")
    assert make(training, 1.0) == (True, said[-1:])


def test_what_has_a_record_is_counted_where_no_time_is_left(training):
    make(training, 40.0, CASES[3:4])
    assert make(training, 41.0)[1][-1] == "an item: 2 of 8 runs are done. The same command goes on."


def test_a_run_is_named_by_its_method_or_the_kind_of_its_data():
    of_data = SimpleNamespace(asked={"data": {"kind": "lives"}})
    assert [one_by_one.kind(case) for case in (CASES[0], of_data)] == ["sft", "lives"]
