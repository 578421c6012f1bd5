"""Small models that memorise: they do, their records say how much, and bad input is refused."""

import numpy as np
import pytest
import torch

from decondense import Condensation
from decondense.chapters.capacity import biographies, training
from decondense.chapters.capacity.training import LIVES, RANDOM

SHAPE = {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.1}
DATA = {"kind": RANDOM, "rows": 6, "length": 8, "vocabulary": 16}
TRAINING = {"steps": 120, "batch_size": 4, "learning_rate": 1e-2, "texts": 4}


@pytest.fixture(autouse=True)
def own_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))


def test_a_model_larger_than_its_data_holds_nearly_all_that_can_be_held():
    results = training.run(DATA, SHAPE, TRAINING | {"steps": 300}, seed=0).content["results"]
    bits = [look["bits"] for look in results["course"]]
    assert 0.95 * results["memorisable"] < bits[-1] <= results["memorisable"]
    assert [look["step"] for look in results["course"]] == [10, 50, 100, 150, 200, 250, 300]
    assert bits[0] < 0.5 * bits[-1]
    assert results["passes"] == 300 * 4 / 6


def test_lives_are_learnt_and_their_bits_counted_apart():
    results = training.run({"kind": LIVES, "people": 5}, SHAPE, TRAINING, seed=0).content["results"]
    end = results["course"][-1]
    assert set(end) == {"step", "names", "facts"}
    assert 0.5 * 5 * biographies.BITS < end["facts"] <= 5 * biographies.BITS
    assert "memorisable" not in results


def test_the_loss_spreads_the_tokens():
    one = TRAINING | {"steps": 60}
    made = [training.run(DATA, SHAPE, one, 0, **change) for change in ({}, {"loss": "dispersion", "weight": 1.0})]
    plain, spread = (Condensation.load(record.arrays) for record in made)
    assert spread.mu[1:].mean() < plain.mu[1:].mean() - 0.02
    assert [record.path.name.split("-seed")[0] for record in made] == [
        "capacity-random-train", "capacity-random-dispersion",
    ]  # fmt: skip


def test_the_record_has_the_geometry_on_rows_of_the_data_with_its_controls():
    record = training.run(DATA, SHAPE, TRAINING | {"steps": 3}, seed=1)
    found = Condensation.load(record.arrays)
    assert found.tokens.tolist() == [9] * 4
    np.testing.assert_allclose(found.mu, record.content["results"]["mu"], atol=1e-6)
    assert found.controls["within"].shape == (3,)


def test_the_parameters_are_counted_with_the_tied_output_once():
    block = 12 * 16**2 + 13 * 16
    assert training.parameters(DATA, SHAPE, 9) == (17 + 9) * 16 + 2 * block + 2 * 16
    assert training.run(DATA, SHAPE, TRAINING | {"steps": 1}, 0).content["results"]["parameters"] == 7008


def test_both_arms_begin_with_the_same_weights_and_data():
    config = {"data": DATA, "shape": SHAPE, "steps": 1, "seed": 4}
    (first, rows), (second, again) = training.start(config), training.start(config)
    assert (rows == again).all()
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(training.start(config | {"seed": 5})[0].lm_head.weight, first.lm_head.weight)


def test_a_check_run_gives_what_the_record_has():
    table = training.check(training.run(DATA, SHAPE, TRAINING, seed=2))
    assert table.agrees.tolist() == [True]
    assert table.quantity.tolist() == ["bits per token, step 4"]
    np.testing.assert_allclose(table.record, table.now, atol=1e-6)


def test_a_check_run_of_other_numbers_disagrees(monkeypatch):
    record = training.run(DATA, SHAPE, TRAINING, seed=2)
    monkeypatch.setattr(training, "DECAYS", (0.0, 0.5))
    assert training.check(record).agrees.tolist() == [False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": DATA | {"kind": "prose"}}, "of the kind 'random' or 'lives'"),
        ({"training": TRAINING | {"steps": 0}}, "steps must be above 0"),
        ({"loss": "dispersal"}, "Did you mean 'dispersion'"),
    ],
)
def test_what_cannot_be_trained_is_refused(change, said):
    asked = {"data": DATA, "shape": SHAPE, "training": TRAINING, "seed": 0} | change
    with pytest.raises(ValueError, match=said):
        training.run(**asked)
