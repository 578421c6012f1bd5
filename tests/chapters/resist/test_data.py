"""A smaller vocabulary is the beginning of a larger one, and the windows are the corpus's own."""

import pytest
import torch

from decondense.chapters.resist import data


def test_what_is_cut_is_what_training_for_fewer_gives(made):
    larger, smaller = made.trained(300), made.trained(270)
    cut = data.cut(larger, 270)
    assert cut.get_vocab() == smaller.get_vocab()
    assert [cut.encode(text) for text in made.TEXT] == [smaller.encode(text) for text in made.TEXT]
    assert max(max(cut.encode(text)) for text in made.TEXT) < 270


def test_a_special_token_at_the_end_is_left_out(made):
    larger = made.trained(300)
    larger.add_special_tokens({"pad_token": "<pad>"})
    assert "<pad>" not in data.cut(larger, 280).get_vocab()


@pytest.mark.parametrize("vocabulary", [256, 301])
def test_what_cannot_be_cut_is_refused(made, vocabulary):
    with pytest.raises(ValueError, match=r"257 to 29\d entries"):
        data.cut(made.trained(300), vocabulary)


@pytest.fixture
def texts(made, monkeypatch):
    from decondense import corpora, models

    corpus = corpora.Corpus("made up", made.TEXT, "here", "0" * 64)
    monkeypatch.setattr(corpora, "load", lambda *_: corpus)
    monkeypatch.setattr(models, "load_tokenizer", lambda *_: made.trained(300))
    return data.Texts({"corpus": "made up", "tokenizer": "own", "vocabulary": 280, "length": 8}, (), 3)


def test_windows_do_not_share_tokens(texts):
    assert texts.held_out.shape == (3, 8)
    batch = texts.batch(torch.tensor([2, 0]))
    assert torch.equal(batch[0], texts.train[2]["input_ids"])
    assert batch.shape == (2, 8)
    assert batch.max() < 280
