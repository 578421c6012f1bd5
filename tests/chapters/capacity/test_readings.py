"""What the page reads off its runs: sizes of data (bits per parameter), flat curves, differences seed by seed."""

from pathlib import Path

import numpy as np
import pytest

from decondense.chapters.capacity import biographies, readings, training
from decondense.chapters.capacity.training import LIVES, RANDOM
from decondense.records import Record

SHAPE = {"n_embd": 16, "n_layer": 2, "n_head": 2}
HOW = {"length": 8, "vocabulary": 16}


@pytest.fixture(autouse=True)
def geometry(monkeypatch, made):
    """Each run has the geometry that its bits say: the late half is the last of two entries."""

    class Geometry:
        def __init__(self, run):
            at = run.results["course"][-1].get("bits", 0) / 10_000
            self.mu = np.array([0.0, at])
            self.controls = made.Controlled({"within": [0, at], "between": [0, at / 2], "excess": [0, at / 2]})

    monkeypatch.setattr(readings.geometry, "measured", Geometry)


def test_the_data_has_so_many_bits_for_each_parameter():
    size = training.parameters({"kind": RANDOM, **HOW}, SHAPE, 9)
    rows = readings.data_of(RANDOM, SHAPE, 2.0, HOW)["rows"]
    assert rows * 8 * 4 / size == pytest.approx(2.0, abs=0.01)
    people = readings.data_of(LIVES, SHAPE, 2.0, {})["people"]
    size = training.parameters({"kind": LIVES}, SHAPE, 28)
    assert people * biographies.BITS / size == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(("exposures", "rows", "batch", "steps"), [(100, 64, 32, 200), (10, 20, 64, 10), (1, 3, 4, 1)])
def test_exposures_are_steps(exposures, rows, batch, steps):
    assert readings.steps_of(exposures, {"kind": LIVES, "people": rows}, batch) == steps
    assert readings.steps_of(exposures, {"kind": RANDOM, "rows": rows}, batch) == steps


def test_runs_are_asked_for_by_size_of_data_arm_and_seed(monkeypatch):
    asked = []

    def run(data, shape, training, seed, **loss):
        asked.append((data, training, seed, loss))
        return Record(Path("none"), {}, None)

    monkeypatch.setattr(training, "run", run)
    how = {"exposures": 10, "batch_size": 4}
    found = readings.filled(LIVES, SHAPE, [1.0, 2.0], {}, how, {"loss": "dispersion", "weight": 0.5}, [0, 1])
    assert list(found) == [1.0, 2.0]
    assert [(run.label, run.seed) for run in found[1.0]] == [
        ("train", 0), ("train", 1), ("dispersion", 0), ("dispersion", 1),
    ]  # fmt: skip
    assert [loss for *_, loss in asked[:3]] == [{}, {}, {"loss": "dispersion", "weight": 0.5}]
    people = asked[0][0]["people"]
    assert asked[0][1] == {"batch_size": 4, "steps": round(10 * people / 4)}


def test_bits_are_for_each_parameter(made):
    assert readings.held(made.run(bits=2500.0)) == 2.5
    assert readings.held(made.run(bits=500.0, kind="facts")) == 0.5


@pytest.mark.parametrize(("before", "added", "flat"), [(1000.0, 0.5, 0), (1998.0, 0.001, 1), (2000.0, 0.0, 1)])
def test_a_curve_is_flat_where_the_last_third_added_little(made, before, added, flat):
    run = made.run(bits=2000.0, before=before)
    assert readings.added_at_end(run) == pytest.approx(added)
    assert readings.flat([run]) == flat


def test_capacity_is_where_plain_training_holds_most(made):
    found = {1.0: made.runs([1000, 1000], [3000, 3000]), 2.0: made.runs([1900, 1700], [0, 0])}
    assert readings.fullest(found) == 2.0
    groups = readings.at_capacity({"one": found, "other": {1.0: made.runs([1500, 1500], [1600, 1500])}})
    assert [run.label for run in groups[1]] == ["train", "train", "dispersion", "dispersion"]
    assert readings.of_plain(groups, less=1.0).value == pytest.approx((1.8 + 1.5) / 2 - 1)


def test_the_loss_is_compared_seed_by_seed_and_sizes_are_averaged(made):
    groups = [made.runs([1000, 2000], [1100, 2200]), made.runs([1000, 1000], [1100, 1000])]
    found = readings.difference(groups, readings.HELD)
    assert found.value == pytest.approx((0.1 + 0.1) / 2)
    assert found.units == 2
    assert readings.difference(groups[:1], readings.LATE).value == pytest.approx(0.015)


def test_more_data_is_the_largest_minus_the_smallest(made):
    found = {2.0: made.runs([3000, 3100], [0, 0]), 1.0: made.runs([1000, 1000], [9, 9])}
    assert readings.with_more_data({"one": found}, readings.LATE).value == pytest.approx(0.205)


def test_the_table_has_a_row_a_size_of_data(made):
    found = readings.table({1.5: made.runs([1000, 1200], [1100, 1300])})
    assert found.index.tolist() == ["1.5"]
    assert found.loc["1.5", readings.HELD] == pytest.approx(1.1)
    assert found.loc["1.5", "most that can be"] == 4
    assert found.loc["1.5", "passes"] == 50
    assert found.loc["1.5", "loss: bits per parameter"].startswith("+0.100 ")


def test_more_steps_store_more_by_a_share(made):
    shorter = {3.6: made.runs([1000, 1200], [500, 500])}
    longer = {1.8: made.runs([9, 9], [9, 9]), 3.6: made.runs([1500, 1800], [500, 500])}
    assert readings.gained(shorter, longer, "train") == pytest.approx(0.5)
    assert readings.gained(shorter, longer, "dispersion") == 0


def test_a_longer_run_is_shown_beside_those_of_the_usual_steps(made, monkeypatch):
    longest = made.run(bits=2900.0, before=2755.0, steps=3000)
    asked = []
    monkeypatch.setattr(training, "run", lambda *given: asked.append(given) or Record(Path("none"), {}, None))
    readings.longer(SHAPE, HOW, {"steps": 9, "texts": 2}, {"bits": 2.0, "steps": 90, "seed": 7})
    assert asked == [(readings.data_of(RANDOM, SHAPE, 2.0, HOW), SHAPE, {"steps": 90, "texts": 2}, 7)]
    rows = readings.beside(longest, {5.4: made.runs([2300, 2500], [0, 0])}, {"bits": 5.4})
    assert rows.tolist() == ["2.40", "2.90, of which the last third added 5.0%"]
