"""Models with their first weights on ids that come once."""

import pytest

from decondense import measure, models
from decondense.chapters.cone import measurements

HOW = {"n_texts": 3, "max_length": 12, "train_tokens": 0}


def test_no_id_comes_twice_and_the_numbers_are_those_of_measure(small_pocket, monkeypatch):
    found = measurements.on_random_ids(["pocket-small"], **HOW, seed=3)
    loaded = models.load("pocket-small", "random", train_tokens=0, seed=3)
    ids = measurements._ids(loaded.model.get_input_embeddings().weight.shape[0], 3, 12, 3)
    assert len({token for text in ids for token in text}) == 36
    expected = measure(loaded.model, None, ids, max_length=12, controls=True, progress=False).controls
    result = found.results["pocket-small"]
    assert result.controls["between"].tolist() == expected["between"].tolist()
    assert result.controls["between_different_ids"].tolist() == pytest.approx(expected["between"].tolist())
    monkeypatch.setattr(measurements, "measure", None)
    again = measurements.on_random_ids(["pocket-small"], **HOW, seed=3)
    assert again.records[0].path == found.records[0].path


def test_a_vocabulary_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="3 texts of 12 ids need as many different ids; there are 35"):
        measurements._ids(35, 3, 12, 0)
