"""What padding does to a mean cosine: against mpmath in two forms, limits and identities."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.chapters.appendix import factors

GRID = [(r, m) for r in (1e-3, 0.3, 1.0, 2.0, 27.7, 500.0) for m in (1, 2, 3, 5, 100, 832, 1600, 10_000)]
PAPER_M = 1600 - 768
NORMS = st.floats(1e-3, 1e3)
ENTRIES = st.integers(1, 5000)


@pytest.mark.parametrize(("r", "m"), GRID)
def test_shrinkage_equals_the_closed_form(r, m):
    # With 40 digits mpmath's own sum cancels to nothing at r = 27.7, m = 1600; 400 take minutes where m is odd.
    with mpmath.workdps(40 if m < 100 else 400):
        b = mpmath.mpf(r) ** 2 / 2
        exact = mpmath.sqrt(b) * mpmath.hyperu(mpmath.mpf(1) / 2, (3 - mpmath.mpf(m)) / 2, b)
    assert factors.shrinkage(r, m) == pytest.approx(float(exact), rel=1e-12)
    assert factors.padding_factor(r, m) == pytest.approx(float(exact) ** 2, rel=1e-12)


@pytest.mark.parametrize(("r", "m"), [(1.0, 1), (0.3, 3), (1.0, PAPER_M), (27.7, PAPER_M)])
@pytest.mark.parametrize(("function", "power"), [(factors.shrinkage, 0.5), (factors.own_share, 1.0)])
def test_moments_equal_quadrature_over_the_chi_squared_density(r, m, function, power):
    with mpmath.workdps(40):
        half = mpmath.mpf(m) / 2
        log_scale = half * mpmath.log(2) + mpmath.loggamma(half)
        # x = y^2 takes away the pole of the density at 0 for m = 1
        density = lambda y: 2 * y * mpmath.exp((half - 1) * 2 * mpmath.log(y) - y**2 / 2 - log_scale)
        value = lambda y: (r**2 / (r**2 + y**2)) ** power * density(y)
        centre = mpmath.sqrt(m)
        edges = [0, *[e for e in (centre - 4, centre - 1) if e > 0], centre, centre + 1, centre + 4, centre + 30]
        exact = mpmath.quad(value, edges)
    assert function(r, m) == pytest.approx(float(exact), rel=1e-12)


def test_limits():
    np.testing.assert_allclose(factors.padding_factor([0.1, 1.0, 50.0], 0), 1, rtol=1e-13)
    assert factors.padding_factor(1.0, 10**9) == pytest.approx(1e-9, rel=1e-6)  # r^2 / m
    assert factors.padding_factor(1e7, 832) == pytest.approx(1, abs=1e-10)
    half = [float(mpmath.gamma(mpmath.mpf(k) / 2)) for k in (9, 10)]
    assert factors.padding_factor(1e-4, 10) / 1e-8 == pytest.approx(half[0] ** 2 / (2 * half[1] ** 2), rel=1e-6)


@given(NORMS, ENTRIES)
def test_falls_with_entries_and_grows_with_the_norm(r, m):
    assert factors.padding_factor(r, m + 1) < factors.padding_factor(r, m)
    assert factors.padding_factor(1.1 * r, m) > factors.padding_factor(r, m)


@given(NORMS, ENTRIES)
def test_the_identity_behind_the_upper_bound(r, m):
    shared = factors.own_share(r, m) + m / r**2 * factors.own_share(r, m + 2)
    assert shared == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("factor", [0.001, 0.5, 0.99])
@pytest.mark.parametrize("m", [1, 832])
def test_norm_for_inverts_the_factor(factor, m):
    assert factors.padding_factor(factors.norm_for(factor, m), m) == pytest.approx(factor, rel=1e-8)


@pytest.mark.parametrize(("r", "m"), [(0.0, 3), (-1.0, 3), (np.nan, 3), (1.0, -1), ([1.0, 0.0], 3)])
def test_bad_input_is_an_error(r, m):
    with pytest.raises(ValueError, match="must be positive and finite"):
        factors.padding_factor(r, m)


@pytest.mark.parametrize(("factor", "m"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_no_norm_gives_an_impossible_factor(factor, m):
    with pytest.raises(ValueError, match="every value in"):
        factors.norm_for(factor, m)


def test_by_norm_has_a_row_a_norm():
    table = factors.by_norm([1.0, 10.0], 9)
    assert table.r.tolist() == [1, 10]
    np.testing.assert_allclose(table.factor, [factors.padding_factor(r, 9) for r in (1.0, 10.0)])
    np.testing.assert_allclose(table["spread at cosine 0"], (1 - factors.own_share([1.0, 10.0], 9)) / 3)
    np.testing.assert_allclose(table["shared padding, from 0 to"], 1 - factors.own_share([1.0, 10.0], 9))
