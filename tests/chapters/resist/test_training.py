"""Small models of a design: they learn, their records say what they should, and bad input is refused."""

import numpy as np
import pytest
import torch

from decondense import Condensation
from decondense.chapters.resist import training

SHAPE = {"width": 16, "blocks": 2, "heads": 2, "mlp": 24, "initializer": 0.14}
DATA = {"corpus": "made up", "tokenizer": "own", "vocabulary": 280, "length": 8}
TRAINING = {"steps": 30, "batch_size": 4, "learning_rate": 0.02, "held_out": 6, "texts": 4}


pytestmark = pytest.mark.usefixtures("own")


def run(design="pre-norm", seed=0, **change):
    how = TRAINING | {name: change.pop(name) for name in list(change) if name in TRAINING}
    return training.run(design, SHAPE, DATA, how, seed, **change)


@pytest.mark.parametrize("design", ["pre-norm", "hyperspherical", "linear hybrid", "state-space hybrid"])
def test_a_model_learns_and_its_record_says_so(design):
    record = run(design)
    results = record.content["results"]
    first, last = results["course"]
    assert (first["step"], last["step"]) == (2, 30)
    assert last["validation_loss"] < first["validation_loss"] - 0.5
    found = Condensation.load(record.arrays)
    np.testing.assert_allclose(found.mu, results["mu"], atol=1e-6)
    assert found.tokens.tolist() == [8] * 4
    assert found.controls["within"].shape == (3,)
    assert record.path.name.startswith(f"resist-{design.replace(' ', '-')}-train-seed0-")


def test_the_loss_spreads_the_tokens():
    plain, spread = (Condensation.load(run(**how).arrays) for how in ({}, {"loss": "dispersion"}))
    assert spread.mu[1:].mean() < plain.mu[1:].mean()


def test_a_mixture_says_what_its_experts_see():
    results = run("experts", steps=4).content["results"]
    assert [len(values) for values in results["experts"].values()] == [2, 2, 2]
    assert results["course"][-1]["validation_loss"] < 10  # of the logits alone


def test_rows_of_length_1_keep_it():
    config = {"design": "hyperspherical", "shape": SHAPE, "data": DATA, **TRAINING, "loss": None, "weight": None}
    model, texts = training.start(config | {"seed": 0}, ())
    list(training.courses(model, texts, config | {"seed": 0}, 3))
    torch.testing.assert_close(
        model.model.layers[0].mlp.up_proj.weight.norm(dim=1), torch.ones(model.config.intermediate_size)
    )


def test_the_validation_loss_is_the_mean_over_all_tokens(monkeypatch):
    config = {"design": "pre-norm", "shape": SHAPE, "data": DATA, **TRAINING, "seed": 0}
    model, texts = training.start(config, ())
    whole = float(model.eval()(input_ids=texts.held_out, labels=texts.held_out).loss.detach())
    monkeypatch.setattr(training, "VALIDATED", 4)
    assert training.validation_loss(model, texts.held_out) == pytest.approx(whole, abs=1e-5)


def test_a_check_run_gives_what_the_record_has():
    table = training.check(run(seed=2))
    assert table.agrees.tolist() == [True]
    assert table.quantity.tolist() == ["pre-norm: validation loss, step 2"]


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ValueError, match="steps must be above 0"):
        run(steps=0)
    with pytest.raises(ValueError, match="Unknown design"):
        run("prenorm")
    with pytest.raises(ValueError, match="Did you mean 'dispersion'"):
        run(loss="dispersal")
