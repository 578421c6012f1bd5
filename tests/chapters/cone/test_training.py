"""Which part of a loss does the work: differences seed by seed, and the parts along training."""

import pytest

from decondense.chapters.cone import training


def test_differences_are_taken_seed_by_seed(made):
    runs = [made.run("train", s, loss=5 + s) for s in range(3)] + [made.run("x", s, loss=4 + s) for s in range(3)]
    found = training.difference(runs, "x", training.LOSS)
    assert (found.value, found.units) == (pytest.approx(-1), 3)
    assert training.comparisons(runs).loc["x", training.LOSS].startswith("-1.000 [-1.000, -1.000]")


def test_what_training_changes_is_after_minus_before(made):
    runs = [made.run("train", s, before=(0.1, 0.4), after=(0.5 + 0.01 * s, 0.3)) for s in range(3)]
    runs += [made.run("x", 0, after=(9.0, 9.0))]
    assert training.change(runs, "between").value == pytest.approx(0.41)
    assert training.change(runs, "excess").value == pytest.approx(-0.1)


def test_along_training_has_a_row_for_each_part_and_checkpoint(made):
    table = training.along([made.run("train", 0, before=(0.1, 0.4)), made.run("x", 0)], "train")
    assert table.step.unique().tolist() == [0, 10]
    assert len(table) == 2 * len(training.PARTS)
    assert table[(table.step == 0) & (table.part == "within")].value.item() == pytest.approx(0.5)
