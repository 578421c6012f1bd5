"""What the page reads off its runs: costs, shares saved seed by seed, what a rotation closes, outliers, geometry."""

import numpy as np
import pytest

from decondense.chapters.quantisation import readings
from decondense.stats import mean_and_interval


@pytest.fixture
def two(made):
    plain = made.runs("train", [{"W2": 0.1, "W2, rotated": 0.06}, {"W2": 0.3, "W2, rotated": 0.1}], kurtosis=4.0)
    spread = made.runs("dispersion", [{"W2": 0.05, "W2, rotated": 0.05}, {"W2": 0.11, "W2, rotated": 0.09}])
    return plain + spread


def test_a_cost_is_the_loss_under_a_scheme_minus_that_of_the_model(two):
    assert readings.cost("W2")(two[0]) == pytest.approx(0.1)
    assert readings.scored("W2")(two[0]) == pytest.approx(-0.1)
    assert readings.moved("W2")(two[1]) == pytest.approx(0.03)
    assert readings.schemes(two[0].record) == ["W2", "W2, rotated"]


def test_what_is_saved_is_a_share_of_what_plain_training_loses(two):
    found = readings.saved(two, "dispersion", readings.cost("W2"))
    wanted = mean_and_interval(np.array([-0.05, -0.19]) / 0.2)
    assert found.value == pytest.approx(wanted.value)
    assert found.interval == pytest.approx(wanted.interval)
    assert found.p == pytest.approx(mean_and_interval([-0.05, -0.19]).p)


def test_a_seed_that_one_arm_lacks_takes_no_part(two):
    found = readings.saved(two[:3], "dispersion", readings.cost("W2"))
    assert found.units == 1
    assert found.value == pytest.approx(-0.5)


def test_a_rotation_closes_a_gap(two):
    found = readings.closed(two, "dispersion", "W2")
    assert found.value == pytest.approx(np.mean([(-0.01 + 0.05) / 0.2, (-0.01 + 0.19) / 0.2]))


@pytest.mark.parametrize(("costs", "yes"), [((0.02, 0.03), True), ((0.004, 0.01), False), ((-0.1, 0.0), False)])
def test_where_little_is_lost_there_is_nothing_to_save(made, costs, yes):
    assert readings.enough(made.runs("train", [{"W2": cost} for cost in costs]), "W2") == yes


def test_outliers_are_the_mean_over_the_layers(two):
    assert readings.outlier("inputs_kurtosis")(two[0]) == 4.0
    found = readings.saved(two, "dispersion", readings.outlier("inputs_kurtosis"))
    assert found.value == pytest.approx(-0.25)


def test_training_with_rounding_is_compared_with_the_same_seed_without(made, two):
    aware = made.runs("train", [{}, {}, {}])
    aware[0].results["rounded"][0]["loss"] = made.BASE + 0.4
    found = readings.in_training(aware, two)
    assert [(run.label, run.seed) for run in found] == [("train", 0), ("train", 1)]  # seed 2 has no run beside it
    assert readings.cost(readings.TRAINED)(found[0]) == pytest.approx(0.4)
    assert readings.cost(readings.TRAINED)(found[1]) == 0


def test_the_tables_have_every_scheme_and_arm(two):
    costs = readings.costs(two)
    assert costs.index.tolist() == ["W2", "W2, rotated"]
    assert costs.columns.tolist() == ["train", "dispersion", "dispersion: change"]
    assert costs.loc["W2", "train"] == pytest.approx(0.2)
    assert readings.arms(two).loc["late-half μ"].tolist() == ["0.50 ± 0", "0.50 ± 0"]
    assert readings.geometry(two, ["W2"]).index.tolist() == ["W2: late-half μ", "W2: log-probability"]


def test_real_models_have_intervals_over_the_texts(made):
    found = {"one": made.record({"W4": 0.02})}
    assert readings.of_texts(found["one"], "W4").unit == "texts"
    table = readings.real(found)
    assert table.loc["W4", "one: nats a token"].startswith("+0.020")
    assert table.loc["W4", "one: late-half μ"] == pytest.approx(0.002)
    assert readings.of_layers(found).loc["largest kurtosis of inputs", "one"] == 4.0


def test_the_numbers_of_the_prose_name_arm_and_scheme(made):
    costs = [{"W4": 0.01, "W2": 0.1, "ternary": 0.2}, {"W4": 0.02, "W2": 0.3, "ternary": 0.2}]
    runs = made.runs("train", costs)
    said = readings.numbers(runs, readings.in_training(runs, runs), {"real": made.record({"W4": 0.02})})
    assert said["W2 costs"].startswith("train +0.200 [")
    assert said["real loses"].startswith("W4: +0.020")
    assert said["real, μ"] == "W4: +0.002"
    assert set(said) == {"loss", "μ", "W4 costs", "W2 costs", "ternary costs", "in training", "real loses", "real, μ"}
