"""Word vectors: counts by hand, PMI by definition, word2vec's gradient, and words that mean the same."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch

from decondense.chapters.static import words

ROWS = ["A cat, a dog. A cat!\n", "", "dog 12 a\n"]


def test_text_is_numbers_of_the_commonest_words_row_by_row():
    text = words.read(ROWS, vocabulary=9)
    assert text.words == ["a", "cat", "dog"]
    assert text.frequency.tolist() == [4, 2, 2]
    assert text.ids.tolist() == [0, 1, 0, 2, 0, 1, -1, 2, 0, -1]
    assert words.read(ROWS, vocabulary=1).ids.tolist() == [0, 0, 0, -1, 0, -1]
    assert words.read(ROWS, vocabulary=9, least=3).words == ["a"]


@pytest.fixture(scope="module")
def text():
    """Two topics, of four words each, in rows of eight words."""
    rng = np.random.default_rng(0)
    topics = (["red", "blue", "green", "pink"], ["one", "two", "three", "four"])
    rows = [" ".join([*rng.choice(topics[k % 2], 7), "the"]) for k in range(600)]
    return words.read(rows, vocabulary=20)


def by_hand(rows, window):
    found = Counter()
    for row in rows:
        for i, j in combinations(range(len(row)), 2):
            if j - i <= window:
                found[row[i], row[j]] += 1
                found[row[j], row[i]] += 1
    return found


@pytest.mark.parametrize("window", [1, 2, 5])
def test_counts_are_those_of_a_loop_over_pairs(window):
    text = words.read(ROWS, vocabulary=9)
    expected = by_hand([[0, 1, 0, 2, 0, 1], [2, 0]], window)
    found = words.count(text, window).toarray()
    assert found.tolist() == [[expected[i, j] for j in range(3)] for i in range(3)]


def test_ppmi_by_definition(text):
    counts = words.count(text, 3)
    n = counts.toarray()
    with np.errstate(divide="ignore"):
        pmi = np.log(n * n.sum() / np.outer(n.sum(1), n.sum(0)))
    assert np.allclose(words.ppmi(counts).toarray(), np.maximum(pmi, 0))


def test_svd_gives_back_the_matrix_and_keeps_the_leading_directions(text):
    counts = words.count(text, 3)
    matrix = words.ppmi(counts).toarray()
    vectors = words.by_svd(counts, 4).numpy()
    assert np.allclose((vectors**2).sum(0), np.linalg.svd(matrix)[1][:4])  # columns are sqrt(s) long


def own_topic(vectors, text):
    """Share of the words of topics whose nearest word is of their topic."""
    u = torch.nn.functional.normalize(vectors.double(), dim=1)
    topics = [[text.words.index(w) for w in t] for t in (("red", "blue", "green"), ("one", "two", "three"))]
    hits = []
    for own, other in (topics, topics[::-1]):
        for word in own:
            same = max(float(u[word] @ u[k]) for k in own if k != word)
            hits.append(same > max(float(u[word] @ u[k]) for k in other))
    return np.mean(hits)


def test_words_of_a_topic_are_near_each_other(text):
    assert own_topic(words.by_svd(words.count(text, 3), 4), text) == 1
    *_, vectors = words.by_word2vec(text, 8, window=3, epochs=30)
    assert own_topic(vectors.clone(), text) == 1


def test_word2vec_is_the_same_with_the_same_seed(text):
    first, again, other = (next(words.by_word2vec(text, 4, window=2, epochs=1, seed=s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_pairs_of_an_epoch_are_within_the_window_and_the_row(text):
    centres, contexts = words.drawn(text, 1, np.random.default_rng(0))
    once = set(zip(centres.tolist(), contexts.tolist(), strict=True))
    assert once == {(b, a) for a, b in once}  # with windows of one, each pair is drawn from both of its ends
    n = words.count(text, 7).toarray()
    many = words.drawn(text, 7, np.random.default_rng(0))
    assert (n[many] > 0).all()


def test_common_words_are_thinned_out():
    rows = ["the a the b the c the d the e"] * 400
    text = words.read(rows, vocabulary=9)
    centres, _ = words.drawn(text, 2, np.random.default_rng(0))
    the, others = (centres == 0).sum(), (centres > 0).sum() / 5
    assert text.words[0] == "the"
    assert the / others < 5 / 1.5  # five times as common in the text; kept sqrt(5) times less often


def test_step_is_that_of_the_gradient():
    generator = torch.Generator().manual_seed(0)
    word, context = (torch.randn(6, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    centres, candidates = torch.tensor([0, 0, 4]), torch.tensor([[1, 2, 2], [3, 0, 5], [1, 4, 0]])
    w, c = word.clone().requires_grad_(), context.clone().requires_grad_()
    score = (w[centres][:, None] * c[candidates]).sum(-1)
    sign = torch.tensor([1.0, -1.0, -1.0])
    (-torch.nn.functional.logsigmoid(sign * score)).sum().backward()
    words.update(word, context, centres, candidates, 0.1)
    assert torch.allclose(word, w.detach() - 0.1 * w.grad)
    assert torch.allclose(context, c.detach() - 0.1 * c.grad)
