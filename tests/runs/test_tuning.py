"""The rate of each condition, from short runs of a seed of their own."""

import pytest
from made_runs import made

from decondense.runs import PreTraining, grid, tuning

CHANGES = {"train": {}, "dispersion": {"loss": "dispersion", "weight": 0.1}}
SHARED = PreTraining(
    experiment="table5", shape={"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2},
    corpus="documentation", steps=60, tasks={"pocket_cloze": 20},
)  # fmt: skip
LOSSES = {("train", 1e-3): 5.0, ("train", 1e-2): 5.4, ("dispersion", 1e-3): 5.2, ("dispersion", 1e-2): 5.1}


def trials(losses=LOSSES):
    return [made(label, 100, [9.0, loss], rate) for (label, rate), loss in losses.items()]


def test_each_condition_takes_its_best_rate():
    table = tuning.table({"GPT-2": trials()})
    assert {(label, rate): table.loc[("GPT-2", label), rate] for label, rate in LOSSES} == LOSSES
    found = tuning.at_best_rate(trials(), CHANGES)
    assert found == {"train": {"learning_rate": 1e-3}, "dispersion": CHANGES["dispersion"] | {"learning_rate": 1e-2}}
    assert "learning_rate" not in CHANGES["train"]
    losses = tuning.table({"GPT-2": trials()}, lambda run: 2 * run.validation_loss)
    assert losses.loc[("GPT-2", "train"), 1e-3] == 2 * LOSSES["train", 1e-3]


def test_a_rate_that_diverged_is_passed_over_and_all_of_them_are_an_error():
    lost = LOSSES | {("train", 1e-3): float("nan")}
    assert tuning.at_best_rate(trials(lost), CHANGES)["train"] == {"learning_rate": 1e-2}
    with pytest.raises(ValueError, match="No learning rate of 'train'"):
        tuning.at_best_rate(trials(lost | {("train", 1e-2): float("inf")}), CHANGES)


def test_tuning_runs_are_short_and_of_a_seed_of_their_own(monkeypatch):
    asked = []
    monkeypatch.setattr(grid, "made", lambda jobs: asked.extend(jobs) or [])
    tuning.trials(SHARED, CHANGES, rates=[1e-3, 1e-2], steps=15, seed=100)
    assert [label for label, _ in asked] == ["train", "train", "dispersion", "dispersion"]
    assert [config.learning_rate for _, config in asked] == [1e-3, 1e-2] * 2
    assert {(config.steps, config.seed, len(config.tasks)) for _, config in asked} == {(15, 100, 0)}
    assert [config.loss for _, config in asked] == [None, None, "dispersion", "dispersion"]


def test_without_tuning_the_rate_is_that_of_all():
    assert tuning.trials(SHARED, CHANGES) == []
    assert tuning.at_best_rate([], CHANGES) == CHANGES
    assert tuning.table({"GPT-2": []}).empty
