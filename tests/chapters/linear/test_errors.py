"""The expansion beside the loss over all pairs: rows against their definitions."""

import math

import numpy as np
import pytest
import torch

from decondense import losses, metrics
from decondense.chapters.linear import errors


def tokens(n, d, shift=0.5, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_kernel_is_what_the_loss_averages():
    for degrees in (5, 60, 130, 178):
        z = torch.tensor([[[1.0, 0.0], [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]]])
        exact = losses.dispersion(z.double(), eps=1e-12).exp().item()
        assert errors.kernel(np.array([math.cos(math.radians(degrees))]))[0] == pytest.approx(exact, rel=1e-6)


def test_two_tokens_have_no_error():
    row = errors.errors(tokens(2, 5))
    for name in errors.ORDERS:
        assert row[f"error, {name}"] == pytest.approx(0, abs=1e-6)
        assert row[f"gradient, {name}"] == pytest.approx(1)
        assert row[f"bound, {name}"] >= 0


def test_errors_are_those_of_the_losses():
    z = tokens(30, 6)
    row = errors.errors(z)
    exact, near = (losses.dispersion(z[None].double(), order=order).item() for order in (None, 1))
    assert row["value"] == pytest.approx(exact)
    assert row["error, order 1"] == pytest.approx(100 * (near - exact) / abs(exact))
    assert row["mean"] == pytest.approx(metrics.mean_cosine(z.double()).off_diagonal.item(), abs=0.01)
    assert abs(row["error, order 2"]) < abs(row["error, order 1"]) <= row["bound, order 1"]
    assert row["gradient, order 1"] < row["gradient, order 2"] < 1
    assert row["error, 256 tokens"] == 0  # there are no more than thirty
    assert row["centred"] < row["value"]
    assert 0 < row["uniformity"] < 1


def test_a_part_of_the_tokens_has_a_part_of_the_gradient():
    row = errors.errors(tokens(512, 6))
    assert row["gradient, 256 tokens"] == pytest.approx(0.5**0.5, abs=0.1)
