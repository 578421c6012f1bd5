"""Pieces of so many words: together the whole text, however it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.corpora.reading.pieces import count_words, long_enough, pieces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n", 0),
        ("one two\nthree", 3),
        ("x" * 16, 1),
        ("x" * 17, 2),
        ("吾輩は猫である。", 5),  # seven characters in pairs, and the full stop
        ("word吾輩", 2),
    ],
)
def test_words(text, words):
    assert count_words(text) == words


@given(st.lists(st.text(alphabet="ab \n吾é"), max_size=20), st.integers(1, 5))
def test_pieces_are_the_text_and_have_as_many_words(blocks, words):
    text = "".join(blocks)
    found = list(pieces(blocks, words))
    assert "".join(found) == text
    assert found == list(pieces([text], words))
    assert all(count_words(piece) == words for piece in found[:-1])
    assert sum(map(count_words, found)) >= count_words(text)  # more where a long word is cut


def test_a_short_end_is_no_piece_unless_it_is_all():
    assert list(long_enough(["a b ", "c d ", "e"], 2)) == ["a b ", "c d "]
    assert list(long_enough(["a b ", "c d"], 2)) == ["a b ", "c d"]
    assert list(long_enough(["a"], 2)) == ["a"]
    assert list(long_enough([" "], 2)) == []
