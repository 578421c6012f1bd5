"""Where losses push: a toy model and its untrained twin against their hidden states, the record, the sentence."""

import pandas as pd
import pytest
import torch

from decondense import corpora, losses, models
from decondense.chapters.table1 import where
from decondense.losses import forces

pytestmark = pytest.mark.usefixtures("world")


def asked(model="pocket-small", **how):
    usual = {"n_texts": 3, "max_length": 24, "sources": ["local"], "train_tokens": 0}
    return where.where(model, "imdb", **usual | how)


def test_table_is_the_concentration_at_the_hidden_states():
    found = asked()
    model, tokenizer, _ = models.load("pocket-small", train_tokens=0)
    texts = corpora.sample_texts(corpora.load("imdb", ["local"]), 3)
    ids = tokenizer(texts, truncation=True, max_length=24, return_tensors="pt")["input_ids"]
    assert ids.shape == (3, 24)
    chosen = {
        "dispersion": losses.dispersion, "dispersion, centred": losses.get("dispersion", centre="batch"),
        "mean_direction": losses.mean_direction, "orthogonalization": losses.orthogonalization,
    }  # fmt: skip
    assert list(found.table.index.unique("loss")) == list(chosen)
    first = models.load("pocket-small", "random", train_tokens=0).model
    for weights, one in {"trained": model, "untrained": first}.items():
        with torch.no_grad():
            states = one(ids, output_hidden_states=True).hidden_states
        expected = forces.concentration(states[1], chosen)
        pd.testing.assert_frame_equal(found.table.loc[weights], expected, check_names=False, rtol=1e-5)
    assert (found.record.content["results"]["entry"], found.record.content["results"]["tokens"]) == (1, 24)


@pytest.mark.parametrize(("depth", "entry"), [(0.5, 2), (1.0, 3), (0.01, 1)])
def test_depth_is_rounded_to_an_entry(depth, entry):
    assert asked("pocket-medium", depth=depth).record.content["results"]["entry"] == entry


def test_depth_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"depth must lie in \(0, 1\], got 0"):
        asked(depth=0)


def test_second_time_the_record_is_read(monkeypatch):
    first = asked()
    monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("loaded again"))
    second = asked()
    assert second.record == first.record
    assert first.record.path.name.startswith("where-pocket-small-imdb-seed0-")
    pd.testing.assert_frame_equal(second.table, first.table)


def test_in_words_has_the_numbers():
    rows = {"in top 3": [0.4839, 0.046], "first token": [0.00702, 0.01]}
    trained = pd.DataFrame(rows, index=["dispersion", "dispersion, centred"])
    both = {"trained": trained, "untrained": trained.assign(**{"in top 3": 0.0061, "first token": 1.215})}
    said = where.in_words(pd.concat(both, names=["weights", "loss"]))
    assert "48 % lies in three dimensions, and 0.61 % in the untrained one; of the force of" in said
    assert "dispersion with a centre, 4.6 %. The force on the first token" in said
    assert "is 0.007 times that on the others in the trained model, 1.2 times in the untrained" in said
