"""The rate of each condition, the pilot, and what the design can see."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import made

from decondense import records, stats
from decondense.chapters.table5 import design, quantities
from decondense.records import Record
from decondense.runs import PreTraining, grid
from decondense.runs.run import Run

CHANGES = {"train": {}, "dispersion": {"loss": "dispersion", "weight": 0.1}}
SHARED = PreTraining(
    experiment="table5", shape={"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2},
    corpus="documentation", steps=60, tasks={"pocket_cloze": 20},
)  # fmt: skip
LOSSES = {("train", 1e-3): 5.0, ("train", 1e-2): 5.4, ("dispersion", 1e-3): 5.2, ("dispersion", 1e-2): 5.1}


def trials(losses=LOSSES):
    return [made(label, 100, [9.0, loss], rate) for (label, rate), loss in losses.items()]


def test_each_condition_takes_its_best_rate():
    table = design.tuning_table({"GPT-2": trials()})
    assert {(label, rate): table.loc[("GPT-2", label), rate] for label, rate in LOSSES} == LOSSES
    found = design.at_best_rate(trials(), CHANGES)
    assert found == {"train": {"learning_rate": 1e-3}, "dispersion": CHANGES["dispersion"] | {"learning_rate": 1e-2}}
    assert "learning_rate" not in CHANGES["train"]


def test_a_rate_that_diverged_is_passed_over_and_all_of_them_are_an_error():
    lost = LOSSES | {("train", 1e-3): float("nan")}
    assert design.at_best_rate(trials(lost), CHANGES)["train"] == {"learning_rate": 1e-2}
    with pytest.raises(ValueError, match="No learning rate of 'train'"):
        design.at_best_rate(trials(lost | {("train", 1e-2): float("inf")}), CHANGES)


def test_tuning_runs_are_short_and_of_a_seed_of_their_own(monkeypatch):
    asked = []
    monkeypatch.setattr(grid, "made", lambda jobs: asked.extend(jobs) or [])
    design.tuning_runs(SHARED, CHANGES, rates=[1e-3, 1e-2], steps=15, seed=100)
    assert [label for label, _ in asked] == ["train", "train", "dispersion", "dispersion"]
    assert [config.learning_rate for _, config in asked] == [1e-3, 1e-2] * 2
    assert {(config.steps, config.seed, len(config.tasks)) for _, config in asked} == {(15, 100, 0)}
    assert [config.loss for _, config in asked] == [None, None, "dispersion", "dispersion"]


def test_without_tuning_the_rate_is_that_of_all():
    assert design.tuning_runs(SHARED, CHANGES) == []
    assert design.at_best_rate([], CHANGES) == CHANGES
    assert design.tuning_table({"GPT-2": []}).empty


def test_the_pilot_is_of_committed_runs(monkeypatch):
    """Not one of them is trained: every configuration has its record, whatever machine made it."""
    kept = [records.read(path).content["config"] for path in records.committed_folder().glob("table5-*.json")]
    asked = []
    monkeypatch.setattr(grid, "runs", lambda *shared: asked.extend(grid.jobs(*shared)) or [])
    design.pilot_runs(list(design.PILOT_SHAPES))
    assert len(asked) == 30
    assert all(config.as_dict() in kept for _, config in asked)


def test_power_has_the_accuracy_beside_the_design():
    values = {"train": [30.0, 31.0, 30.5], "dispersion": [31.0, 31.0, 31.5]}
    runs = [Run(label, seed, Record(Path("none"), {}, None)) for label in values for seed in range(3)]
    table = {(label, seed): value for label, row in values.items() for seed, value in enumerate(row)}
    patched = lambda run: table[run.label, run.seed]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(quantities.QUANTITIES, quantities.ACCURACY, patched)
        found = design.power({"GPT-2": runs})
    spread = np.std([1.0, 0.0, 1.0], ddof=1)
    row = found.loc[quantities.ACCURACY]
    assert row.spread == pytest.approx(spread)
    assert row.detectable == pytest.approx(stats.detectable_with(spread, 5))
    assert row["smallest that counts"] == pytest.approx(1.17)
    assert len(found) == 3
    assert len(design.power({})) == 2
