"""Rows of an embedding: neighbours by hand, groups, cures on rows that they were not fitted on."""

import numpy as np
import pytest
import torch

from decondense.chapters.static import rows


def embedding(shift=1.0, seed=0):
    """Rows around a shared vector, which common ones share more of; words of a category around one of their own."""
    generator = torch.Generator().manual_seed(seed)
    frequency = np.arange(5, 805)
    z = torch.randn(800, 24, generator=generator)
    z += shift * torch.tensor(frequency / 400)[:, None]
    found = rows.categories()
    row_of = {word: 7 * k for k, word in enumerate(found.word[:36])}
    for category, group in found[:36].groupby("category"):
        own = 3 * torch.randn(24, generator=torch.Generator().manual_seed(ord(category[0])))
        z[[row_of[word] for word in group.word]] += own
    return z.float(), frequency, row_of


def test_there_are_ten_categories_of_twelve_words_and_no_word_twice():
    found = rows.categories()
    assert found.groupby("category").size().tolist() == [12] * 10
    assert found.word.is_unique
    assert found.word.str.fullmatch("[a-z]+").all()


@pytest.mark.parametrize(("features", "k"), [(64, 1), (100, 1), (300, 3), (576, 6)])
def test_one_direction_in_a_hundred_is_taken(features, k):
    assert rows.leading(features) == k


def test_very_long_rows_are_left_out():
    z = torch.ones(9, 4)
    z[3] *= 11
    z[5] *= 9
    assert len(rows.ordinary(z)) == 8


def test_neighbours_by_hand():
    z = torch.tensor([[1.0, 0], [1, 0.1], [1, 0.2], [0, 1], [1, 0.15]])
    row_of = {"red": 0, "blue": 1, "green": 2, "dog": 3, "cat": 4, "bread": 1}  # "bread" has no other of its category
    found = rows.own_category(z, row_of)
    assert found == {"red": 0.5, "blue": 0.5, "green": 0.5, "dog": 0.0, "cat": 0.0}
    chance = rows.by_chance(row_of)
    assert chance == {"red": 0.5, "blue": 0.5, "green": 0.5, "dog": 0.25, "cat": 0.25}


def test_no_word_with_a_row_is_an_error():
    with pytest.raises(ValueError, match="take a larger vocabulary"):
        rows.own_category(torch.eye(3), {"red": 0, "dog": 1})


def test_neighbours_at_random_are_right_by_chance():
    row_of = {word: k for k, word in enumerate(rows.categories().word)}
    z = torch.randn(40, 120, 5, generator=torch.Generator().manual_seed(0))
    found = np.mean([list(rows.own_category(one, row_of).values()) for one in z])
    assert found == pytest.approx(11 / 119, abs=0.005)
    assert np.mean(list(rows.by_chance(row_of).values())) == pytest.approx(11 / 119)


def test_description_of_a_cone_tied_to_frequency():
    z, frequency, row_of = embedding()
    found = rows.describe(z, frequency, row_of)
    assert (found["rows"], found["features"]) == (800, 24)
    assert [len(found[part][cure]) for part in ("cosine", "precision") for cure in rows.CURES] == [10] * 4 + [36] * 4
    assert np.mean(found["cosine"]["none"]) > 0.3
    assert np.mean(found["tie"]) > 0.3
    assert len(found["tie"]) == rows.GROUPS
    for cure in list(rows.CURES)[1:]:
        assert abs(np.mean(found["cosine"][cure])) < 0.05
        assert found["rank"][cure] <= 24.0001
    assert found["rank"]["whitening"] > found["rank"]["none"]
    assert np.mean(list(found["precision"]["centring"].values())) > found["chance"] + 0.2


def test_cosines_of_groups_are_those_of_all_pairs():
    z, frequency, row_of = embedding(shift=0.0)
    found = rows.describe(z, frequency, row_of)["cosine"]["none"]
    group = np.array_split(np.random.default_rng(0).permutation(800), rows.GROUPS)[rows.GROUPS // 2]
    u = torch.nn.functional.normalize(z[group].double(), dim=1)
    cosines = (u @ u.T).numpy()[~np.eye(len(group), dtype=bool)]
    assert found[0] == pytest.approx(cosines.mean(), abs=1e-6)


def test_words_that_are_one_token_have_its_row():
    tokenizer = lambda text, add_special_tokens: {"input_ids": [3] if text == " red" else [1, 2]}
    assert rows.rows_of_tokens(tokenizer, ["red", "harmonica"]) == {"red": 3}
