"""Small models that are rounded when they are done, or while they learn, and real ones: what their records say."""

import numpy as np
import pytest

from decondense.chapters.quantisation import asked, pretrained, readings, rounded, training
from decondense.quantise import Scheme, layers
from decondense.runs import PreTraining, grid

SHAPE = {"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2}
SCHEMES = [Scheme(bits=8), Scheme(bits=2), Scheme(bits=2, rotated=True)]
ARMS = {"train": {}, "dispersion": {"loss": "dispersion", "weight": 1.0}}


@pytest.fixture
def shared(small_pocket):
    return PreTraining(
        experiment="quantisation", shape=SHAPE, corpus="documentation", steps=4, batch_size=2, length=16, texts=2,
        text_length=16, held_out=4, checkpoints=1, sources=["local", "pypi"], learning_rate=5e-3,
    )  # fmt: skip


def test_a_run_has_a_row_a_scheme_and_its_first_is_the_model_itself(shared):
    (run,) = training.runs(shared, {"train": {}}, {"train": [3]}, SCHEMES)
    rows = run.results["rounded"]
    assert [row["scheme"] for row in rows] == ["as it is", "W8", "W2", "W2, rotated"]
    assert rows[0]["loss"] == pytest.approx(run.validation_loss, abs=1e-4)
    assert rows[0]["loss"] == pytest.approx(np.mean(rows[0]["losses"]), abs=1e-4)
    np.testing.assert_allclose(rows[0]["mu"], run.mu[-1], atol=1e-5)
    assert abs(rows[1]["loss"] - rows[0]["loss"]) < abs(rows[2]["loss"] - rows[0]["loss"])
    assert run.results["about"] == {"share": pytest.approx(0.1, abs=0.2), "layers": 8,
                                    "left": {"an embedding": 2, "the head": 1}}  # fmt: skip
    assert len(run.results["outliers"]) == 8


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


def test_a_check_run_agrees(shared):
    (run,) = training.runs(shared, {"dispersion": ARMS["dispersion"]}, {"dispersion": [1]}, SCHEMES[:1])
    assert grid.check_run(asked.bare(run), 2).agrees.all()


def test_real_models_are_rounded_on_texts(small_pocket):
    how = {"n_texts": 3, "max_length": 12, "train_tokens": 3000, "sources": ["local", "pypi"]}
    record = pretrained.record("pocket-small", "documentation", SCHEMES, **how)
    rows = record.content["results"]["rounded"]
    assert [len(row["losses"]) for row in rows] == [3] * 4
    assert record.content["results"]["model"]["model"] == "pocket-small"
    assert readings.of_texts(record, "W2").units == 3


def test_the_loss_is_that_of_the_model(tiny_gpt2):
    import torch

    ids = torch.randint(0, 64, (3, 10), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = [float(tiny_gpt2(input_ids=row[None], labels=row[None]).loss) for row in ids]
    np.testing.assert_allclose(rounded.losses(tiny_gpt2, ids), wanted, rtol=1e-5)
