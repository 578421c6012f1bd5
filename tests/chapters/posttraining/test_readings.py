"""What the page reads off its runs: known curves at one divergence, and runs that never came as far."""

from pathlib import Path

import numpy as np
import pytest

from decondense.chapters.posttraining import readings, training
from decondense.chapters.posttraining.readings import LATE, RANK
from decondense.records import Record

KL = np.array([0.0, 0.01, 0.04])


@pytest.mark.parametrize("at", [0.001, 0.01, 0.025, 0.04])
def test_a_line_is_read_exactly_wherever_the_looks_lie(at):
    assert readings.at_divergence(3 - 7 * KL, KL, at) == pytest.approx(3 - 7 * at)


def test_between_two_looks_a_line_is_drawn():
    values = np.array([1.0, 2.0, 0.0])
    assert readings.at_divergence(values, KL, 0.005) == 1.5
    assert readings.at_divergence(values, KL, 0.025) == pytest.approx(1.0)


def test_a_run_that_never_came_as_far_is_not_extrapolated():
    assert np.isnan(readings.at_divergence(KL, KL, 0.0401))


def test_where_a_run_falls_back_its_first_crossing_counts():
    kl = np.array([0, 0.02, 0.01, 0.03])
    assert readings.at_divergence(np.array([0.0, 1.0, 5.0, 9.0]), kl, 0.01) == pytest.approx(0.5)


@pytest.mark.parametrize("at", [0.0, -0.1])
def test_the_start_is_no_divergence_to_compare_at(at):
    with pytest.raises(ValueError, match="must be above 0"):
        readings.at_divergence(KL, KL, at)


def test_every_quantity_is_read(made, tmp_path):
    run = made.run(tmp_path, within=(0.6, 0.5, 0.4), rank=(10.0, 11.0, 12.0))
    read = {name: readings.course(run, name) for name in readings.quantities()}
    assert len(read) == 13
    np.testing.assert_allclose(read["late-half within, neutral text"], [0.6, 0.5, 0.4])
    np.testing.assert_allclose(read["late-half between, neutral text"], [0.3, 0.25, 0.2])
    np.testing.assert_allclose(read["late-half excess, neutral text"], [0.3, 0.25, 0.2])
    np.testing.assert_allclose(read[LATE], (1 + 4 * np.array([0.6, 0.5, 0.4])) / 5)
    np.testing.assert_allclose(read["late-half μ, own text"], [0.4] * 3)
    np.testing.assert_allclose(read[RANK], [10, 11, 12])
    with pytest.raises(ValueError, match="Unknown quantity 'late-half rho'"):
        readings.course(run, "late-half rho")


def test_changes_are_over_seeds_and_the_loss_is_compared_seed_by_seed(made, tmp_path):
    found = made.runs(tmp_path, [0.5, 0.4], [0.3, 0.3], rank=(10.0, 12.0, 12.0))
    moved = readings.change(found, LATE, 0.03)
    assert moved.value == pytest.approx(-0.15 * 0.8)
    assert moved.units == 2
    assert readings.change(found, LATE, 0.02).value == pytest.approx(-0.1 * 0.8)
    added = readings.with_loss(found, LATE, 0.03)
    assert added.value == pytest.approx(-0.15 * 0.8)
    assert readings.change(found, RANK, 0.005, relative=True).value == pytest.approx(0.1)


def test_runs_that_do_not_come_as_far_are_counted_and_left_out(made, tmp_path):
    short = made.run(tmp_path, seed=2, kl=(0.0, 0.001, 0.002))
    found = {"sft": [*made.runs(tmp_path, [0.5, 0.4], [0.3, 0.3]), short]}
    assert readings.change(found["sft"], LATE, 0.03).units == 2
    table = readings.reached(found, 0.03)
    assert table.loc["SFT, train", ["runs", "as far"]].tolist() == [3, 2]
    assert table.loc["SFT, train", "least"] == 0.002
    assert table.loc["SFT, dispersion", "as far"] == 2


def test_over_depth_only_the_late_entries_moved(made, tmp_path):
    run = made.run(tmp_path, within=(0.6, 0.5, 0.4))
    np.testing.assert_allclose(readings.depth_at(run, "within", 0.01), [0, 0, 0, -0.1, -0.1], atol=1e-12)
    assert np.isnan(readings.depth_at(run, "within", 0.5)).all()


def test_the_tables_have_a_row_a_quantity_and_a_method(made, tmp_path):
    found = {method: made.runs(tmp_path, [0.5, 0.4], [0.3, 0.3], method=method) for method in ("sft", "grpo")}
    table = readings.comparison(found, 0.03)
    assert table.index.tolist() == readings.quantities()
    assert table.columns.tolist() == ["start", "SFT", "SFT, loss", "GRPO", "GRPO, loss"]
    assert table.loc[LATE, "SFT"].startswith("-0.1200 ")
    ends = readings.ends(found)
    assert ends.loc["SFT", ["right number: start", "end"]].tolist() == pytest.approx([0.1, 0.5])
    assert ends.loc["SFT", "KL at the end (nats a token)"] == "0.0300"
    assert ends.loc["SFT", f"{LATE}, at the end"].startswith("-0.1200 ")
    assert ends.loc["SFT", "change"] == "+0.40 [+0.40, +0.40]"
    assert readings.comparison(found, 0.03, [RANK]).index.tolist() == [RANK]
    assert ends.loc["GRPO", "steps without a gradient"] == 1
    assert ends.loc["GRPO", ["reward: first half", "second half"]].tolist() == [0.05, 0.25]
    assert np.isnan(ends.loc["SFT", "second half"])


def test_runs_are_asked_for_by_method_arm_and_seed(monkeypatch):
    asked = []

    def run(*, start, data, looked, **more):
        asked.append(more)
        return Record(Path("none"), {}, None)

    monkeypatch.setattr(training, "run", run)
    methods = {"sft": {"learning_rate": 1.0}, "dpo": {"learning_rate": 2.0}, "grpo": {"learning_rate": 3.0, "steps": 4}}
    found = readings.all_runs({}, {}, {"steps": 2}, methods, {}, {"loss": "dispersion", "weight": 0.5}, [0, 1])
    assert list(found) == ["sft", "dpo", "grpo"]
    assert [(run.label, run.seed) for run in found["dpo"]] == [
        ("train", 0), ("train", 1), ("dispersion", 0), ("dispersion", 1),
    ]  # fmt: skip
    loss = {"loss": "dispersion", "weight": 0.5}
    assert asked[-1] == {"method": "grpo", "training": {"steps": 4, "learning_rate": 3.0}, "seed": 1} | loss
    assert asked[0] == {"method": "sft", "training": {"steps": 2, "learning_rate": 1.0}, "seed": 0}


def test_the_prose_gets_changes_what_was_learnt_and_rewards(made, tmp_path):
    found = {method: made.runs(tmp_path, [0.5, 0.4], [0.3, 0.3], method=method) for method in ("sft", "grpo")}
    numbers = readings.numbers(found, 0.03)
    assert numbers["SFT alone"].startswith("-0.1200 [")
    assert numbers["GRPO with the loss"].startswith("-0.1200 [")
    assert numbers["SFT at the end"].startswith("-0.1200 [")
    assert numbers["SFT at the end, with the loss"].startswith("-0.1200 [")
    assert numbers["SFT learns, with the loss"] == "+0.00 [+0.00, +0.00]"
    assert numbers["SFT right answers"] == "+2.0 [+2.0, +2.0]"
    assert numbers["groups without a gradient"] == "75%"
    assert numbers["SFT has learnt"] == numbers["SFT learns"] == "+0.40 [+0.40, +0.40]"
    assert numbers["rewards"] == "0.05, then 0.25"
    assert numbers["no gradient"] == "1.0 of 8 steps, on average"
    assert "rewards" not in readings.numbers({"sft": found["sft"]}, 0.03)
