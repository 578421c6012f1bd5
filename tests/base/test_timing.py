"""Timing: turns, ratios within a round, peaks that belong to one call, and a process that answers."""

import sys

import numpy as np
import pandas as pd
import pytest

from decondense.base import timing

pytestmark = pytest.mark.usefixtures("frozen")  # memory is tidied before each call that is measured

MIB = 2**20


@pytest.fixture
def quick(monkeypatch):
    """No collection of garbage before each call, which takes long beside all that these tests import."""
    monkeypatch.setattr(timing, "_reset_peak", lambda: None)


def test_cases_take_turns_and_the_warm_round_is_not_counted(quick):
    order = []
    rows = timing.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, warm=2)
    assert order == ["a", "b"] * 5
    assert [list(row) for row in rows] == [["a", "b"]] * 3


def test_seconds_are_those_of_the_call(quick, monkeypatch):
    clock = [100.0]

    def passes(seconds):
        clock[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    rows = timing.interleaved({"long": lambda: passes(5), "short": lambda: passes(2)}, 2, warm=0)
    assert timing.seconds(rows).to_dict("list") == {"long": [5, 5], "short": [2, 2]}


def test_another_measure_can_be_given():
    rows = timing.interleaved({"a": lambda: timing.Cost(2.0, MIB)}, 2, measure=lambda case: case(), warm=0)
    assert timing.seconds(rows)["a"].tolist() == [2, 2]
    assert timing.mebibytes(rows)["a"] == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are known on Linux only")
def test_peak_belongs_to_one_call():
    held = np.ones(64 * MIB // 8)  # before: not counted
    big, small = lambda: np.ones(64 * MIB // 8).sum(), lambda: np.ones(16 * MIB // 8).sum()
    rows = timing.interleaved({"big": big, "small": small, "nothing": lambda: None}, 2)
    peaks = timing.mebibytes(rows)
    assert held.sum() > 0
    assert peaks["big"] == pytest.approx(64, abs=3)
    assert peaks["small"] == pytest.approx(16, abs=3)
    assert peaks["nothing"] < 3


def test_unknown_peaks_are_nan(quick):
    rows = timing.interleaved({"a": lambda: None}, 1)
    assert rows[0]["a"].bytes is None
    assert np.isnan(timing.mebibytes(rows)["a"])


@pytest.mark.parametrize(("cases", "rounds"), [({}, 3), ({"a": print}, 0)])
def test_nothing_to_time_is_refused(cases, rounds):
    with pytest.raises(ValueError, match="needs a case and a round"):
        timing.interleaved(cases, rounds)


def test_ratio_is_taken_within_a_round():
    assert timing.ratio(pd.Series([2, 40, 9]), pd.Series([1, 10, 3])) == (3, 2, 4)


ECHO = "from decondense.base import timing; timing.serve(lambda **q: print('noise') or {'got': q, 'sum': sum(q['x'])})"


def test_child_answers_each_question_and_ends():
    with timing.Child([sys.executable, "-c", ECHO]) as child:
        assert child.ask(x=[1, 2]) == {"got": {"x": [1, 2]}, "sum": 3}
        assert child.ask(x=[])["sum"] == 0
    assert child.process.returncode == 0


def test_child_that_fails_says_why():
    with timing.Child([sys.executable, "-c", ECHO]) as child, pytest.raises(RuntimeError, match="KeyError: 'x'"):
        child.ask(y=1)


def test_child_that_has_ended_says_so():
    with timing.Child([sys.executable, "-c", "raise SystemExit('no such thing')"]) as child:
        child.process.wait()
        with pytest.raises(RuntimeError, match="no such thing"):
            child.ask(x=1)
