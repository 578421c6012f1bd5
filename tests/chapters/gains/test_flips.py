"""Flips: of committed runs by hand, and what they make of the printed gains."""

import numpy as np
import pytest

from decondense.chapters.gains import flips, tables
from decondense.paper import accuracies


def items(label, seed):
    (run,) = (run for run in flips._runs() if (run.label, run.seed) == (label, seed))
    return run.evaluation.items


def test_runs_are_the_longest_of_their_condition_and_one_a_seed():
    found = flips._runs()
    assert {run.label for run in found} == {"dispersion", "train", "none"}
    assert len({(run.label, run.seed) for run in found}) == len(found)
    assert len({run.config["steps"] for run in found} - {0}) == 1
    for run in found:
        assert f"-{run.label}-" in run.record.path.name
        assert run.config["weight"] in (None, 0.1)


def test_measured_flips_of_one_pair_by_hand(monkeypatch):
    only = [run for run in flips._runs() if run.seed in (0, 1) and run.label in ("dispersion", "train", "none")]
    monkeypatch.setattr(flips, "_runs", lambda: only)
    flips.measured.cache_clear()
    found = flips.measured()
    flips.measured.cache_clear()
    a, b = items("train", 0), items("train", 1)
    by_task = (a.score != b.score).groupby(a.task).mean()
    assert found["train, two seeds"] == pytest.approx(by_task.mean())


def test_reported_gains_are_in_paired_errors():
    found = flips.reported()
    assert len(found) == 6
    row = found.iloc[0]
    assert row["errors, implied"] == pytest.approx(row.gain / flips.paired_error("GPT2", row.implied))
    assert row.implied == tables.implied_flips()["GPT2"]
    assert flips.paired_error("GPT2", row.flips_196) == pytest.approx(row.gain / 1.96)
    n = accuracies.items("GPT2")
    assert flips.paired_error("GPT2", 0.1) == pytest.approx(100 * np.sqrt((0.1 / n).sum()) / 10, rel=1e-3)


def test_an_estimate_over_items_has_the_normal_interval():
    found = flips.on_other_items("GPT2", 1.0, 0.5)
    assert found.interval == pytest.approx((0.02, 1.98))
    assert found.p == pytest.approx(0.0455, abs=1e-4)
    assert found.units == 10 * accuracies.equivalent_items("GPT2")
