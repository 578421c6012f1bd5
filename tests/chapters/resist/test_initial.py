"""Records of predictions and of untrained models, and their check run."""

import numpy as np
import pytest

from decondense.chapters.resist import initial

INITIAL = {
    "shape": {"width": 32, "blocks": 2, "heads": 2, "mlp": 64, "initializer": 0.1},
    "data": {"corpus": "made up", "tokenizer": "own", "vocabulary": 280, "length": 8}, "texts": 2, "seed": 0,
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("own")


def test_predicted_and_measured_have_a_value_an_entry():
    names = ["pre-norm", "embedding mix"]
    predicted = initial.predicted(names, INITIAL)
    assert {name: len(mu) for name, mu in predicted.content["results"]["mu"].items()} == dict.fromkeys(names, 3)
    record = initial.measured("embedding mix", INITIAL)
    assert len(record.content["results"]["mu"]) == 3
    assert record.path.name.startswith("resist-initial-embedding-mix-seed0-")
    # Entry 0 is the embedding, whose rows are independent.
    assert np.abs(record.content["results"]["mu"][0] - predicted.content["results"]["mu"]["embedding mix"][0]) < 0.15


def test_a_check_run_draws_the_same_weights():
    assert initial.check(initial.measured("hyperspherical", INITIAL)).agrees.tolist() == [True]
