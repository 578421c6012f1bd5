"""Pairs of the same id: closed cases, and more ids than buckets."""

import numpy as np
import pytest
import torch

from decondense.controls import repeats
from decondense.controls.repeats import Repeats


def seen(ids, vectors):
    found = Repeats([torch.tensor(of_text) for of_text in ids])
    inside = [float(found.see(0, text, found.by_id(text, torch.as_tensor(u)))) for text, u in enumerate(vectors)]
    return found, inside


def test_texts_of_one_word_have_no_pair_of_different_ids():
    found, inside = seen([[5, 5], [5, 5, 5]], [np.full((2, 1), 0.9), np.full((3, 1), 0.9)])
    assert np.isnan(inside).all()
    assert found.share() == pytest.approx(2)  # all of T (T - 1)


def test_texts_without_a_common_word_have_no_pair_of_the_same_id():
    found, inside = seen([[1, 2], [3, 4]], [np.eye(2)] * 2)
    assert inside == [0, 0]
    assert (found.same(0), found.share()) == (0, 0)


def test_a_vector_an_id_is_all_that_is_shared():
    """Each word has a direction of its own, as in untrained embeddings: nothing is left."""
    ids = [[0, 1, 1, 2], [0, 0, 2], [1, 3]]
    vectors = [np.eye(4)[of_text] for of_text in ids]
    found, inside = seen(ids, vectors)
    assert inside == pytest.approx([0, 0, 0])
    means = np.array([u.mean(0) for u in vectors])
    assert found.same(0) == pytest.approx((means.sum(0) ** 2).sum() - (means**2).sum())


@pytest.mark.parametrize("buckets", [2, 3, 1024])
def test_no_pair_of_the_same_id_is_counted_with_few_buckets(monkeypatch, buckets):
    monkeypatch.setattr(repeats, "BUCKETS", buckets)
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, 9, 12).tolist() for _ in range(4)]
    vectors = [np.random.default_rng(1).normal(size=(9, 5))[of_text] for of_text in ids]
    found, _ = seen(ids, vectors)
    bucket = {
        i: int(b) for text, of in enumerate(found.buckets) for i, b in zip(sorted(set(ids[text])), of, strict=True)
    }
    assert max(bucket.values()) < buckets
    total = weight = 0.0
    for s, t in ((s, t) for s in range(4) for t in range(4) if s != t):
        same = np.array([[bucket[i] == bucket[j] >= 0 for j in ids[t]] for i in ids[s]])
        assert same[np.array(ids[s])[:, None] == ids[t]].all()
        total += (vectors[s] @ vectors[t].T)[same].sum() / same.size
        weight += same.sum() / same.size
    assert found.same(0) == pytest.approx(total)
    assert found.share() == pytest.approx(weight)


def test_a_token_is_compared_with_those_of_other_ids():
    ids, u = [7, 3, 7, 7, 1], np.random.default_rng(0).normal(size=(5, 4))
    found = Repeats([torch.tensor(ids)])
    others = found.of_other_ids(0, found.by_id(0, torch.as_tensor(u)))
    expected = [u[[other != own for other in ids]].sum(0) for own in ids]
    np.testing.assert_allclose(others, expected, atol=1e-12)
