"""Rounding equals a float64 reference bit for bit, lies on its levels, and refuses what it cannot do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decondense.quantise import TERNARY, rounded, ternary, to_nearest


def drawn(rows=24, n=64, seed=0, dtype=torch.float32):
    return torch.randn(rows, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def by_hand(x, bits, group=None):
    """Element by element in float64, by numpy."""
    rows = x.double().numpy()
    size, found = group or rows.shape[1], np.empty_like(rows)
    for row, start in np.ndindex(len(rows), rows.shape[1] // size):
        part = rows[row, start * size : (start + 1) * size]
        if bits == TERNARY:
            step = np.mean(np.abs(rows if group is None else part))
            levels = np.clip(np.round(part / step), -1, 1)
        else:
            step = np.max(np.abs(part)) / (2 ** (bits - 1) - 1)
            levels = np.round(part / step)
        found[row, start * size : (start + 1) * size] = levels * step
    return torch.from_numpy(found).to(x.dtype)


@pytest.mark.parametrize("group", [None, 32, 4])
@pytest.mark.parametrize("bits", [16, 8, 4, 3, 2, TERNARY])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_is_the_reference_bit_for_bit(bits, group, dtype):
    x = drawn(dtype=dtype)
    assert torch.equal(rounded(x, bits, group), by_hand(x, bits, group))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), bits=st.integers(2, 10), scale=st.floats(1e-6, 1e6))
def test_no_number_moves_by_more_than_half_a_step_and_the_largest_stays(seed, bits, scale):
    x = drawn(3, 10, seed, torch.float64) * scale
    step = x.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    found = to_nearest(x, bits)
    assert ((found - x).abs() <= step / 2 * (1 + 1e-12)).all()
    at = x.abs().argmax(1, keepdim=True)
    torch.testing.assert_close(found.gather(1, at), x.gather(1, at))
    torch.testing.assert_close(to_nearest(found, bits), found)


@pytest.mark.parametrize("bits", [4, TERNARY])
def test_scale_passes_through(bits):
    x = drawn()
    torch.testing.assert_close(rounded(4 * x, bits, 8), 4 * rounded(x, bits, 8), rtol=0, atol=0)


def test_ternary_has_three_levels_of_the_mean_size():
    x = drawn()
    step = x.double().abs().mean().float()
    assert rounded(x, TERNARY).unique().tolist() == [-step, 0, step]
    assert len(ternary(x, 32).unique()) == 2 * 24 * 2 + 1


def test_two_bits_have_three_levels():
    assert (to_nearest(torch.tensor([[1.0, -0.4, 0.6, 0.0]]), 2) == torch.tensor([[1.0, 0, 1, 0]])).all()


@pytest.mark.parametrize("bits", [8, TERNARY])
def test_zeros_stay(bits):
    assert (rounded(torch.zeros(2, 8), bits, 4) == 0).all()


def test_a_number_that_is_missing_is_not_hidden():
    x = drawn(2, 8)
    x[0, 3] = torch.nan
    assert to_nearest(x, 4)[0].isnan().any()
    assert to_nearest(x, 4)[1].isfinite().all()


@pytest.mark.parametrize("bits", [1, 1.5, 1.57, 0, -4, 17, 2.5, True, float("nan")])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ValueError, match=r"bits must be 1.58 \(ternary, weights only\) or a whole number from 2 to 16"):
        rounded(drawn(), bits)


@pytest.mark.parametrize("group", [3, 128, 1, 0, -8])
def test_a_group_that_does_not_divide_is_refused(group):
    with pytest.raises(
        ValueError, match=f"Groups of {group} do not divide the 64 inputs of a row. Give one of 2, 4, 8"
    ):
        rounded(drawn(), 4, group)
