"""Weights and rates by one rule, baselines with the same dropout, and plain training of the same time."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_runs import NO_CHECK

from decondense.chapters.anticollapse import claims, training
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, REPRODUCED, SMALLER

DROPOUT = {"resid_pdrop": 0.1}


def test_conditions_of_two_views_have_a_baseline_with_their_dropout():
    found = training.conditions({"a": {"loss": "cosine"}}, {"b": {"loss": "barlow"}}, DROPOUT)
    assert list(found) == ["train", "a", "train, dropout", "b"]
    assert found["b"] == {"loss": "barlow", "shape": DROPOUT}
    assert found["train, dropout"] == {"shape": DROPOUT}
    assert list(training.conditions({"a": {}}, {}, DROPOUT)) == ["train", "a"]


def test_every_loss_is_tried_with_every_weight_and_plain_training_once():
    found = training.candidates({"train": {}, "a": {"loss": "cosine"}}, [0.1, 10.0])
    assert found == {
        "train": {},
        "a, weight 0.1": {"loss": "cosine", "weight": 0.1},
        "a, weight 10": {"loss": "cosine", "weight": 10.0},
    }
    assert training.candidates({"train": {}}, []) == {}


def test_the_weight_and_rate_of_the_lowest_loss_are_taken(made_training):
    changes = {"train": {}, "a": {"loss": "cosine"}}
    trials = [made_training.run("train", loss=6.0), made_training.run("train", loss=5.9, rate=0.01)]
    trials += [
        made_training.run("a, weight 0.1", loss=5.7, weight=0.1),
        made_training.run("a, weight 1", loss=5.6, rate=0.01, weight=1.0),
    ]
    trials += [made_training.run("a, weight 1", loss=math.inf, weight=1.0)]
    found = training.at_best(trials, changes, [0.1, 1.0])
    assert found == {"train": {"learning_rate": 0.01}, "a": {"loss": "cosine", "learning_rate": 0.01, "weight": 1.0}}
    assert training.at_best([], changes, [0.1]) == changes


def test_each_loss_is_compared_with_the_baseline_of_its_dropout(made_training):
    runs = made_training.made()
    assert training.compared(runs) == {"a": "train", "b": "train, dropout"}
    assert training.difference(runs, "a", training.LOSS).value == pytest.approx(-0.1)
    assert training.difference(runs, "b", training.LOSS).value == pytest.approx(0, abs=1e-12)


def test_plain_training_between_its_lengths_lies_on_a_line_over_log_steps(made_training):
    runs = made_training.made()
    assert training.plain_after(runs, 600)[3] == pytest.approx(5.0)
    assert training.plain_after(runs, 600 * 2**0.5)[3] == pytest.approx(4.8)
    assert training.plain_after(runs, 5000)[3] == pytest.approx(4.6)


def test_at_equal_time_a_slow_loss_is_compared_with_longer_training(made_training):
    runs = made_training.made()
    assert training.at_equal_time(runs, "a", 1.0).value == pytest.approx(-0.1)
    assert training.at_equal_time(runs, "a", 2.0).value == pytest.approx(0.3)
    assert training.at_equal_time(runs, "a", 0.9).value == pytest.approx(-0.1)  # noise of the timing gives no steps


def test_longer_training_is_plain_with_more_steps():
    assert training.longer({"learning_rate": 1.0}, [7]) == {"train, 7 steps": {"learning_rate": 1.0, "steps": 7}}


class Ranks(dict):
    """Controls of which only the effective ranks are known."""

    @property
    def quantities(self):
        return list(self)


def with_ranks(runs, gain):
    """The runs, each with an effective rank that a loss raises, as measured after its last step."""
    for run in runs:
        found = 3.0 + 0.1 * run.seed + (gain if run.config["loss"] else 0)
        run.looks = [SimpleNamespace(controls=Ranks(effective_rank=np.full(5, found)))]
    return runs


def test_ranks_are_those_of_the_seeds_that_have_them(made_training):
    old, later = made_training.made(seeds=2), made_training.made(seeds=5)
    new = with_ranks([replace(run, seed=run.seed + 2) for run in later], 2.0)
    for run in old:
        run.looks = [SimpleNamespace(controls=None)]
    assert training.ranks({"here": old}).empty
    found = training.ranks({"here": [*old, *new], "elsewhere": old})
    assert found.columns.tolist() == ["here: effective rank"]
    assert found.loc["a"].item().startswith("+2.00")


def words(runs, ratio=1.0, resumed=False):
    found = claims.claims(runs, ratios := {"a": ratio, "b": ratio}, runs if resumed else [], ratios, NO_CHECK)
    return {claim.claim: claim.verdict.word for claim in found[:-1]}


def test_claims_are_one_a_loss_and_kind(made_training):
    found = words(made_training.made())
    assert len(found) == 6
    assert found["a: from scratch, equal steps: lower validation loss"] == REPRODUCED
    assert found["a: from scratch, equal steps: lower late-half μ"] == REPRODUCED
    assert found["b: from scratch, equal steps: lower validation loss"] == CONTRADICTED
    assert words(made_training.made(), 2.0)["a: from scratch, equal time: lower validation loss"] == CONTRADICTED
    assert words(made_training.made(noise=0.5))["a: from scratch, equal steps: lower validation loss"] == CANNOT_TELL
    assert set(words(made_training.made(seeds=1)).values()) == {NOT_TESTABLE}


def test_further_training_has_claims_of_its_own(made_training):
    found = words(made_training.made(effect=-0.012, noise=1e-4), resumed=True)
    assert len(found) == 12
    assert found["a: mid-training, equal steps: lower validation loss"] == REPRODUCED
    assert found["a: from scratch, equal steps: lower validation loss"] == REPRODUCED
    found = words(made_training.made(effect=-0.008, noise=1e-4))
    assert found["a: from scratch, equal steps: lower validation loss"] == SMALLER
