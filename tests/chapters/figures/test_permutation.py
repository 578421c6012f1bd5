"""The exact test of a trend against all orderings."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decondense.chapters.figures.permutation import monotone_permutation_p

SETTINGS = settings(max_examples=50, derandomize=True, deadline=None)


def by_brute_force(values):
    pairs = lambda x: sum(a > b for i, a in enumerate(x) for b in x[i + 1 :])
    orders = list(permutations(values))
    return np.mean([pairs(order) >= pairs(values) for order in orders])


@SETTINGS
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_permutation_p_is_that_of_all_orderings(values):
    assert monotone_permutation_p(values) == pytest.approx(by_brute_force(values))


def test_permutation_p_of_closed_cases():
    assert monotone_permutation_p([4, 3, 2, 1]) == pytest.approx(1 / 24)
    assert monotone_permutation_p([1, 2, 3, 4]) == 1
    assert monotone_permutation_p(pd.Series([2.0, 2.0])) == 1
    assert monotone_permutation_p([1.0]) == monotone_permutation_p([]) == 1
    with pytest.raises(ValueError, match="finite values"):
        monotone_permutation_p([1.0, float("nan")])
