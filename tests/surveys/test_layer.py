"""The states of one layer on texts: those of the model, of rows of one length, at a rounded depth."""

import pytest
import torch
from toys import tiny

from decondense import corpora
from decondense.surveys import layer


def test_states_are_the_hidden_states_of_the_model():
    model, ids = tiny("gpt2").eval(), torch.arange(24).view(2, 12)
    with torch.no_grad():
        expected = model(ids, output_hidden_states=True).hidden_states
    for entry in range(1, len(expected)):
        found = layer.states(model, ids, entry)
        torch.testing.assert_close(found, expected[entry])
        assert not found.requires_grad


def test_rows_have_the_length_of_the_shortest(tiny_tokenizer, texts, monkeypatch):
    several = [text.split()[: 10 + n] for n, text in enumerate(texts[:3])]
    monkeypatch.setattr(corpora, "sample_texts", lambda *_: [" ".join(words) for words in several])
    ids = layer.rows(corpora.Corpus("made", [], "here", "0"), tiny_tokenizer, 3, 11, 0)
    assert ids.tolist() == [tiny_tokenizer(" ".join(words[:10]))["input_ids"] for words in several]


@pytest.mark.parametrize(("depth", "entry"), [(0.5, 0.5), (1.0, 1.0), (0.01, None)])
def test_depth_is_rounded_to_an_entry(depth, entry):
    model = tiny("gpt2")
    assert layer.entry_at(model, depth) == (1 if entry is None else round(entry * model.config.n_layer))


@pytest.mark.parametrize("depth", [0.0, 1.5])
def test_a_depth_outside_of_the_model_is_refused(depth):
    with pytest.raises(ValueError, match=rf"^depth must lie in \(0, 1\], got {depth}\.$"):
        layer.entry_at(tiny("gpt2"), depth)
