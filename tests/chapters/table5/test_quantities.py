"""Differences of two conditions against scipy, by seed, and by seed and item."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_runs import Known, by_seed
from scipy import stats

from decondense.chapters.table5 import quantities
from decondense.evaluate import Evaluation
from decondense.runs import tables


def made(values):
    """Runs with one quantity: a row of values per label, one per seed."""
    return by_seed(values, lambda value: {"value": float(value), "validation_loss": float(value)})


@pytest.fixture
def one_quantity(monkeypatch):
    monkeypatch.setattr(quantities, "QUANTITIES", {"value": lambda run: run.value})


def test_comparisons_are_paired_by_seed(one_quantity):
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 5, 5)  # cancels where seeds are paired
    runs = {
        name: made({"train": seeds, "a": seeds + 0.3 + rng.normal(0, 0.1, 5), "b": seeds + rng.normal(0, 0.1, 5)})
        for name in ("GPT-2", "Qwen3")
    }
    found = quantities.comparisons(runs)
    assert list(found.index) == [(m, c, "value") for m in runs for c in ("a", "b")]
    row = found.loc["Qwen3", "a", "value"]
    theirs, ours = ([run.value for run in runs["Qwen3"] if run.label == label] for label in ("train", "a"))
    expected = stats.ttest_rel(ours, theirs)
    assert row.difference == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert row.p == pytest.approx(expected.pvalue)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_one_seed_has_no_interval_and_no_runs_no_rows(one_quantity):
    alone = quantities.comparisons({"one": made({"train": [1.0], "a": [2.0]})}).iloc[0]
    assert alone.difference == 1
    assert alone[["low", "high", "p", "detectable"]].isna().all()
    none = quantities.comparisons({})
    assert none.empty
    assert "quantity" in none.reset_index()


def test_average_over_tasks_then_items():
    items = pd.DataFrame({"task": ["a", "a", "a", "b"], "score": [1, 0, 0, 1], "logprob": [-1.0, -2.0, -3.0, -4.0]})
    run = SimpleNamespace(evaluation=SimpleNamespace(items=items))
    assert quantities.average("score")(run) == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert quantities.average("logprob")(run) == pytest.approx(-3)


def test_accuracy_and_log_probability_are_over_seeds_and_items():
    rng = np.random.default_rng(0)

    def run(label, seed):
        items = pd.DataFrame({"task": "a", "score": rng.random(30) < 0.5, "logprob": rng.normal(size=30)})
        return Known(label, seed, evaluation=Evaluation(items, {}), validation_loss=float(rng.normal()))

    runs = [run(label, seed) for label in ("train", "dispersion") for seed in range(3)]
    for quantity, column in ((quantities.ACCURACY, "score"), (quantities.LIKELIHOOD, "logprob")):
        found = quantities.difference(runs, "dispersion", quantity)
        assert found.unit == "seeds and items"
        assert found[:4] == tables.paired_items(runs, "dispersion", "train", column)[:4]
        value = quantities.QUANTITIES[quantity]
        assert found.value == pytest.approx(tables.paired(runs, "dispersion", "train", value).value)
    assert quantities.difference(runs, "dispersion", quantities.LOSS).unit == "seeds"


def test_in_words():
    runs = {"GPT-2": made({"train": [3.0, 3.0], "dispersion": [2.0, 1.0]})}
    assert quantities.in_words(runs, quantities.LOSS).startswith("GPT-2 -1.500 [")
