"""Small models that are rounded when they are done, or while they learn, and real ones: what their records say."""

import numpy as np
import pytest
import torch
import toy_runs

from decondense import corpora
from decondense.chapters.quantisation import asked, pretrained, readings, rounded, training
from decondense.quantise import Scheme, layers
from decondense.runs import grid, workers

SCHEMES = [Scheme(bits=8), Scheme(bits=2), Scheme(bits=2, rotated=True)]
ARMS = {"train": {}, "dispersion": {"loss": "dispersion", "weight": 1.0}}
LEFT = {"an embedding": 2, "the head": 1}


@pytest.fixture
def shared(world, frozen):
    return toy_runs.scratch(steps=4, checkpoints=1, text_length=16)


def test_a_run_has_a_row_a_scheme_and_its_first_is_the_model_itself(shared):
    (run,) = training.runs(shared, {"train": {}}, {"train": [3]}, SCHEMES)
    rows = run.results["rounded"]
    assert [row["scheme"] for row in rows] == ["as it is", "W8", "W2", "W2, rotated"]
    assert rows[0]["loss"] == pytest.approx(run.validation_loss, abs=1e-4)
    assert rows[0]["loss"] == pytest.approx(np.mean(rows[0]["losses"]), abs=1e-4)
    assert [len(row["losses"]) for row in rows] == [4] * 4
    assert [len(row["mu"]) for row in rows] == [3] * 4
    assert abs(rows[1]["loss"] - rows[0]["loss"]) < abs(rows[2]["loss"] - rows[0]["loss"])
    assert run.results["about"]["left"] == LEFT
    assert run.results["about"]["layers"] == len(run.results["outliers"]) == 8


def test_arms_and_seeds_are_made_seed_by_seed_and_found_again(shared, monkeypatch):
    seeds = {"train": [0, 1], "dispersion": [0]}
    found = training.runs(shared, ARMS, seeds, SCHEMES[:1])
    assert [(run.label, run.seed) for run in found] == [("train", 0), ("dispersion", 0), ("train", 1)]
    monkeypatch.setattr(training, "_trained", None)
    again = training.runs(shared, ARMS, seeds, SCHEMES[:1])
    assert [run.record.path for run in again] == [run.record.path for run in found]


def test_a_run_that_is_rounded_in_training_has_a_record_of_its_own(shared):
    plain, aware = training.record(shared, []), training.record(training.aware(shared), [])
    assert aware.path.name.startswith("quantisation-aware-train-seed0")
    assert plain.content["results"]["rounded"] != aware.content["results"]["rounded"]
    assert aware.content["results"]["outliers"] == {}
    with pytest.raises(ValueError, match="rounded in training already"):
        layers(training.aware(shared).load().model)


def test_a_check_run_is_of_the_training_alone(shared, monkeypatch):
    (run,) = training.runs(shared, {"dispersion": ARMS["dispersion"]}, {"dispersion": [1]}, SCHEMES[:1])
    monkeypatch.setattr(workers, "train_all", lambda configs: [grid.store.train(config) for config in configs])
    assert grid.check_run(asked.bare(run), 2).agrees.all()


def test_a_real_model_is_rounded_on_texts(world, tiny_gpt2, monkeypatch):
    rows = torch.randint(0, 64, (3, 12), generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(pretrained.layer, "rows", lambda *_: rows)
    monkeypatch.setattr(corpora, "load", lambda *_: corpora.Corpus("imdb", ["w1"], "here", "abc"))
    monkeypatch.setattr(pretrained.surveys, "surroundings", lambda *_: {})
    how = {"n_texts": 3, "max_length": 12, "sources": ["local"]}
    record = pretrained.record(toy_runs.toy_model(), "imdb", SCHEMES, **how)
    found = record.content["results"]["rounded"]
    assert [len(row["losses"]) for row in found] == [3] * 4
    assert found[0]["losses"] == pytest.approx(rounded.losses(tiny_gpt2, rows).tolist(), abs=1e-4)
    assert readings.of_texts(record, "W2").units == 3
    assert record.content["results"]["about"]["left"] == LEFT


def test_the_loss_is_that_of_the_model(tiny_gpt2):
    ids = torch.randint(0, 64, (3, 10), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = [float(tiny_gpt2(input_ids=row[None], labels=row[None]).loss) for row in ids]
    np.testing.assert_allclose(rounded.losses(tiny_gpt2, ids), wanted, rtol=1e-5)
