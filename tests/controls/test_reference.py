"""The mean of other texts: merged as if it were taken at once, without what would rule it."""

import numpy as np
import pytest
import torch

from decondense.controls import reference
from decondense.controls.reference import TOP


def made(n, seed=0):
    return torch.randn(n, 6, dtype=torch.float64, generator=torch.manual_seed(seed)) * torch.arange(1, 7) + 3


def of(z):
    return reference.moments(z, z.norm(dim=-1))


def test_merged_moments_are_those_of_all_tokens():
    texts = [made(n, seed) for seed, n in enumerate((5, 9, 2))]
    found = None
    for z in texts:
        found = reference.merged(found, of(z))
    every = torch.cat([z[1:] for z in texts])
    assert found.tokens == len(every) == 13
    torch.testing.assert_close(found.mean, every.mean(0))
    torch.testing.assert_close((found.squares / found.tokens).sqrt(), every.std(0, correction=0))


def test_token_0_and_massive_and_broken_tokens_take_no_part():
    z = made(12)
    spoilt = z.clone()
    spoilt[0], spoilt[4], spoilt[7] = 1e6, 1e4, torch.nan
    kept = [i for i in range(12) if i not in (0, 4, 7)]
    torch.testing.assert_close(of(spoilt).mean, z[kept].mean(0))
    assert reference.massive(spoilt.norm(dim=-1)).nonzero().flatten().tolist() == [0, 4, 7]


def test_a_text_of_which_nothing_is_left_changes_nothing():
    found = of(made(5))
    assert of(made(1)) is None
    assert reference.merged(found, None) is found
    assert reference.merged(None, found) is found


def test_the_largest_dimensions_and_their_shares():
    mean = torch.tensor([1.0, -9.0, 2.0, 0.0, 5.0, 3.0])
    found = reference.reference(reference.Moments(4, mean, torch.full((6,), 16.0)))
    assert found.largest.tolist() == [1, 4, 5, 2, 0]
    assert found.shares.tolist() == pytest.approx([81 / 120, 115 / 120, 1])
    assert found.scale.tolist() == [0.5] * 6


def test_a_constant_dimension_is_left_out_when_standardised():
    found = reference.reference(reference.Moments(4, torch.ones(3), torch.tensor([4.0, 0.0, 16.0])))
    assert found.scale.tolist() == [1, 0, 0.5]
    assert len(found.shares) == len(TOP)
    assert np.isclose(found.shares[-1], 1)  # fewer dimensions than that
