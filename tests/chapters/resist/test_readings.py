"""What the page reads off its runs: rates, differences seed by seed, and the tables."""

from pathlib import Path

import numpy as np
import pytest

from decondense.chapters.resist import readings, training
from decondense.records import Record


@pytest.fixture
def found(made, numbers):
    return {
        "pre-norm": made.runs(0.2, 4.0, (0.1, 3.9)),
        "post-norm": made.runs(0.1, 4.1, (0.05, 4.0)),
        "parallel": made.runs(0.3, 3.8, (0.1, 3.7)),
    }


@pytest.fixture
def asked(monkeypatch):
    seen = []

    def run(design, shape, data, how, seed, **more):
        seen.append((design, how, seed, more.get("loss")))
        return Record(Path("none"), {"config": how, "results": {}}, None)

    monkeypatch.setattr(training, "run", run)
    return seen


def tried(made):
    """The middle rate is best for one design, the highest for the other."""
    of = lambda *losses: [made.run(loss=loss, rate=rate) for loss, rate in zip(losses, (0.01, 0.02, 0.03), strict=True)]
    return {"post-norm": of(5, 4, 6), "parallel": of(6, 5, 4)}


def test_tuning_runs_have_a_seed_of_their_own(asked):
    how = {"steps": 300, "texts": 12, "batch_size": 8}
    tuning = {"rates": [0.01, 0.02], "steps": 100, "texts": 3, "seed": 200}
    readings.tried(["post-norm"], {}, {}, how, tuning)
    short = {"steps": 100, "texts": 3, "batch_size": 8}
    assert asked == [("post-norm", short | {"learning_rate": rate}, 200, None) for rate in (0.01, 0.02)]


def test_the_pilot_has_one_rate(asked):
    pilot = {"designs": ["pre-norm", "post-norm"], "learning_rate": 0.01, "seeds": [100]}
    found = readings.pilot(pilot, {}, {}, {"steps": 3}, {"loss": "dispersion", "weight": 1.0})
    assert [run.label for run in found] == ["pre-norm", "post-norm", "pre-norm, dispersion"]
    assert [(design, how["learning_rate"], loss) for design, how, _, loss in asked] == [
        ("pre-norm", 0.01, None), ("post-norm", 0.01, None), ("pre-norm", 0.01, "dispersion"),
    ]  # fmt: skip


def test_the_rate_is_that_of_the_lowest_loss(made, numbers):
    found = tried(made)
    assert readings.rates(found) == {"post-norm": 0.02, "parallel": 0.03}
    table = readings.tuned(found)
    assert table.loc["post-norm", readings.LOSS].to_dict() == {0.01: 5, 0.02: 4, 0.03: 6}
    assert table.loc["parallel", readings.LATE].to_dict() == dict.fromkeys((0.01, 0.02, 0.03), 0.2)
    assert table["chosen", "rate"].to_dict() == {"post-norm": 0.02, "parallel": 0.03}
    assert readings.at_the_edge(found) == ["parallel"]
    assert readings.at_the_edge({"post-norm": found["post-norm"][1:]}) == ["post-norm"]


def test_runs_are_asked_for_by_arm_seed_and_design(asked):
    seeds = {"plain": [0, 1], "dispersion": [0]}
    loss = {"loss": "dispersion", "weight": 1.0}
    found = readings.runs({"pre-norm": 0.01, "post-norm": 0.02}, {}, {}, {"steps": 3}, loss, seeds)
    assert [(design, how["learning_rate"], seed, loss) for design, how, seed, loss in asked] == [
        ("pre-norm", 0.01, 0, None), ("post-norm", 0.02, 0, None),
        ("pre-norm", 0.01, 1, None), ("post-norm", 0.02, 1, None),
        ("pre-norm", 0.01, 0, "dispersion"), ("post-norm", 0.02, 0, "dispersion"),
    ]  # fmt: skip
    assert [(run.label, run.seed) for run in found["post-norm"]] == [("plain", 0), ("plain", 1), ("dispersion", 0)]


def test_designs_are_compared_with_the_reference_seed_by_seed(found):
    apart = readings.against_reference(found, readings.LATE)
    assert apart["post-norm"].value == pytest.approx(-0.1)
    assert apart["post-norm"].interval == pytest.approx((-0.1, -0.1))
    assert readings.against_reference(found, readings.LOSS)["parallel"].value == pytest.approx(-0.2)


def test_the_loss_is_compared_on_the_seeds_that_both_have(found):
    apart = readings.of_loss(found, readings.LATE)
    assert {name: one.units for name, one in apart.items()} == dict.fromkeys(found, 3)
    assert apart["pre-norm"].value == pytest.approx(-0.1)
    assert readings.of_loss(found, readings.LOSS)["post-norm"].value == pytest.approx(-0.1, abs=1e-3)


@pytest.fixture
def references(made, found):
    for run in found["post-norm"]:
        run.config["learning_rate"] = 0.02
    return {0.01: made.runs(0.2, 4.0, (0.1, 3.9)), 0.02: made.runs(0.15, 4.05, (0.1, 3.9))}


def test_the_control_has_the_rate_of_the_design(found, references):
    apart = readings.at_one_rate(found, references, readings.LATE)
    assert {name: round(one.value, 6) for name, one in apart.items()} == {"post-norm": -0.05, "parallel": 0.1}


def test_the_reference_is_asked_for_at_every_rate(asked):
    found = readings.references({"pre-norm": 0.02, "post-norm": 0.01, "parallel": 0.02}, {}, {}, {"steps": 3}, [0, 1])
    assert list(found) == [0.01, 0.02]
    assert {(design, how["learning_rate"], seed) for design, how, seed, _ in asked} == {
        ("pre-norm", rate, seed) for rate in (0.01, 0.02) for seed in (0, 1)
    }


def test_the_tables_have_a_row_a_design(found, references):
    table = readings.table(found, references)
    assert table.index.tolist() == list(found)
    assert table.loc["parallel", "late-half μ"] == pytest.approx(0.3, abs=1e-3)
    assert table.loc["post-norm", "late-half μ: minus pre-norm"].startswith("-0.100 ")
    assert table.loc["post-norm", "late-half μ: minus pre-norm at its rate"].startswith("-0.050 ")
    assert table["late-half μ: minus pre-norm"].isna().tolist() == [True, False, False]
    parts = readings.parts(found)
    assert parts.loc["parallel", "within, late half"] == pytest.approx(0.225, abs=1e-3)
    assert parts.loc["parallel", "between, late half"] == pytest.approx(0.075, abs=1e-3)


def test_the_reference_is_shown_with_the_extremes(found):
    assert readings.shown(found, lowest=1, highest=1) == ["post-norm", "pre-norm", "parallel"]
    assert readings.shown(found, lowest=1, highest=0) == ["post-norm", "pre-norm"]


def test_experts_take_the_rate_of_a_design():
    assert readings.rate_of_experts({"pre-norm": 0.02, "QK-norm": 0.01}) == 0.01
    with pytest.raises(ValueError, match=r"take the rate of 'QK-norm': add it to DESIGNS\.$"):
        readings.rate_of_experts({"pre-norm": 0.02})


@pytest.fixture
def routed(made):
    """Two seeds before training and after it, in two blocks."""
    of = lambda seed, more, label: made.run(label=label, seed=seed, experts={
        "all": [0.1, 0.2], "expert": [0.2, 0.4 + more], "largest": [0.3, 0.5 + more]})  # fmt: skip
    return [*(of(seed, 0.0, "untrained") for seed in (0, 1)), of(0, 0.1, "plain"), of(1, 0.2, "plain")]


def test_experts_are_averaged_over_blocks_and_seeds(routed):
    table = readings.of_experts(routed)
    assert table.loc[1, "untrained"].tolist() == pytest.approx([0.2, 0.4, 0.5])
    assert table.loc[1, "plain"].tolist() == pytest.approx([0.2, 0.55, 0.65])
    assert readings.experts_apart(routed[2:]).value == pytest.approx((0.2 + 0.25) / 2)
    assert readings.experts_apart(routed[2:], first=1).value == pytest.approx((0.3 + 0.4) / 2)


def test_what_training_adds_is_taken_seed_by_seed(routed):
    found = readings.by_training(routed[2:], routed[:2][::-1])
    assert found.value == pytest.approx((0.05 + 0.1) / 2)
    assert readings.by_training(routed[2:], routed[:2], first=1).value == pytest.approx(0.15)


def test_the_recursion_is_set_beside_the_models():
    table = readings.rows_apart({"pre-norm": [0.1, 0.5, 0.7]}, {"pre-norm": [0.1, 0.55, 0.72]})
    assert table.loc["pre-norm"].tolist() == pytest.approx([0.7, 0.72, 0.05, 1])


def test_the_prose_gets_values_costs_and_the_busiest_expert(found, references, made, routed):
    numbers = readings.numbers(found, routed, references, tried(made))
    assert numbers["with the loss: parallel"].startswith("0.10 [")
    assert numbers["late half: parallel"].startswith("0.30 [")
    assert numbers["cost: post-norm"].startswith("+0.100 [")
    assert (numbers["busiest expert, untrained"], numbers["busiest expert, plain"]) == ("40%", "48%")
    assert numbers["experts, untrained"].startswith("+0.150 [")
    assert numbers["at the edge of the rates"] == "1 of 2 designs: parallel"
    assert numbers["at one rate: post-norm"].startswith("-0.050 [")
    assert "cost: pre-norm" not in numbers


def test_depth_is_averaged_over_seeds(found, monkeypatch):
    class Geometry:
        def __init__(self, run):
            self.mu = np.array([0.0, run.results["late"]])

    monkeypatch.setattr(readings.geometry, "measured", Geometry)
    np.testing.assert_allclose(readings.over_depth(found, "pre-norm", "plain"), [0, 0.2005], atol=1e-6)
