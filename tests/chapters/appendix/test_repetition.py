"""Repeated entries keep the cosine if all are written equally often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.chapters.appendix import repetition


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_repetition_keeps_the_cosine(seed, k):
    x, y = np.random.default_rng(seed).standard_normal((2, 5))
    assert repetition.cosine(repetition.repeated(x, k), repetition.repeated(y, k)) == pytest.approx(
        repetition.cosine(x, y), abs=1e-12
    )


def test_uneven_repetition_changes_it():
    counts = repetition.copies(768, 1600)
    assert counts.sum() == 1600
    assert sorted(set(counts.tolist())) == [2, 3]
    x, y = repetition.repeated([1, 1], [3, 2]), repetition.repeated([1, -1], [3, 2])
    assert repetition.cosine(x, y) == pytest.approx(1 / 5)
    with pytest.raises(ValueError, match="at least as many"):
        repetition.copies(10, 9)


def test_changes_are_rounding_and_those_of_uneven_repetition_are_not():
    assert repetition.changes(7).index.tolist() == [1, 2, 3, 10]
    assert repetition.changes(7).max() < 1e-14
    found = repetition.uneven(7, 16)
    assert found[:3].tolist() == [2, 2, 3]  # 7 entries: five twice, two three times
    assert found["largest change, Gaussian"] > 0.01
    assert found["orthogonal example"] == pytest.approx(1 / 5)
