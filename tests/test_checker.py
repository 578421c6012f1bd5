"""The types in signatures are checked in tests."""

import pytest
import torch
from jaxtyping import TypeCheckError

from decondense import metrics


def test_a_wrong_shape_or_type_is_an_error_here():
    with pytest.raises(TypeCheckError):
        metrics.cosine_histogram(torch.zeros(2, 3, 4))
    with pytest.raises(TypeCheckError):
        metrics.cosine_histogram(torch.zeros(3, 4), bins="many")


def test_an_int_is_a_float():
    assert metrics.mean_cosine(torch.ones(3, 4), 1).all_pairs > 0
