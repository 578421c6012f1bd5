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


def test_weights_are_drawn_with_the_deviation_that_is_asked(monkeypatch):
    shape = {"architecture": "GPT2Config", "config": {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 50}}
    shape["config"] |= {"bos_token_id": 0, "eos_token_id": 0}
    monkeypatch.setattr(models, "table", lambda: {"toy": shape})
    for deviation in (0.02, 0.2):
        weights = measurements._drawn("toy", deviation, "float32", 0).get_input_embeddings().weight.detach()
        assert float(weights.std()) == pytest.approx(deviation, rel=0.1)
    found = measurements.by_deviation("toy", [0.02, 0.2], n_texts=3, max_length=12)
    assert list(found.results) == ["0.02", "0.2"]
    assert found.results["0.02"].controls["within"][-1] != found.results["0.2"].controls["within"][-1]
    assert len({record.path for record in found.records}) == 2
