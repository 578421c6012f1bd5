"""Appendix D: identities against mpmath and simulation, bounds where they hold and where they fail."""

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.chapters import appendix
from decondense.paper import verdicts

GRID = [(r, m) for r in (1e-3, 0.3, 1.0, 2.0, 27.7, 500.0) for m in (1, 2, 3, 5, 100, 832, 1600, 10_000)]
PAPER_M = 1600 - 768
NORMS = st.floats(1e-3, 1e3)
ENTRIES = st.integers(1, 5000)


@pytest.mark.parametrize(("r", "m"), GRID)
def test_shrinkage_equals_the_closed_form(r, m):
    with mpmath.workdps(400):  # with 40 digits mpmath's own sum cancels to nothing at r = 27.7, m = 1600
        b = mpmath.mpf(r) ** 2 / 2
        exact = mpmath.sqrt(b) * mpmath.hyperu(mpmath.mpf(1) / 2, (3 - mpmath.mpf(m)) / 2, b)
    assert appendix.shrinkage(r, m) == pytest.approx(float(exact), rel=1e-12)
    assert appendix.padding_factor(r, m) == pytest.approx(float(exact) ** 2, rel=1e-12)


@pytest.mark.parametrize(("r", "m"), [(1.0, 1), (0.3, 3), (1.0, PAPER_M), (27.7, PAPER_M)])
@pytest.mark.parametrize(("function", "power"), [(appendix.shrinkage, 0.5), (appendix.own_share, 1.0)])
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
    np.testing.assert_allclose(appendix.padding_factor([0.1, 1.0, 50.0], 0), 1, rtol=1e-13)
    assert appendix.padding_factor(1.0, 10**9) == pytest.approx(1e-9, rel=1e-6)  # r^2 / m
    assert appendix.padding_factor(1e7, 832) == pytest.approx(1, abs=1e-10)
    half = [float(mpmath.gamma(mpmath.mpf(k) / 2)) for k in (9, 10)]
    assert appendix.padding_factor(1e-4, 10) / 1e-8 == pytest.approx(half[0] ** 2 / (2 * half[1] ** 2), rel=1e-6)


@given(NORMS, ENTRIES)
def test_falls_with_entries_and_grows_with_the_norm(r, m):
    assert appendix.padding_factor(r, m + 1) < appendix.padding_factor(r, m)
    assert appendix.padding_factor(1.1 * r, m) > appendix.padding_factor(r, m)


@given(NORMS, st.integers(1, 5000))
def test_the_identity_behind_the_upper_bound(r, m):
    shared = appendix.own_share(r, m) + m / r**2 * appendix.own_share(r, m + 2)
    assert shared == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", appendix.TRUE)
@given(r=NORMS, m=ENTRIES)
def test_proved_bounds_hold(name, r, m):
    bound = appendix.BOUNDS[name]
    assert appendix.check(bound, [r], [max(m, bound.least_m)]).holds.all()


@pytest.mark.parametrize("name", appendix.TRUE)
def test_proved_bounds_hold_at_the_values_of_the_paper(name):
    assert appendix.check(appendix.BOUNDS[name], [1.0], [PAPER_M]).holds.all()


def test_jensen_read_the_wrong_way_fails_everywhere():
    table = appendix.check(appendix.BOUNDS["≤ r²/(r²+m)"], *zip(*GRID[:8], strict=True))
    assert not table.holds.any()
    assert not appendix.check(appendix.BOUNDS["= r²/(r²+m)"], [1.0], [PAPER_M]).holds.any()


def test_other_forms_fail_for_short_vectors_and_hold_for_long_ones():
    over_m = appendix.BOUNDS["≤ r²/m"]
    assert not appendix.check(over_m, [1.0], [PAPER_M]).holds.any()
    assert appendix.check(over_m, [2**0.5, 5.0], [PAPER_M]).holds.all()
    minus_one = appendix.BOUNDS["≤ r²/(r²+m−1)"]
    assert not appendix.check(minus_one, [0.01], [2, 10, 832]).holds.any()
    assert appendix.check(minus_one, [100.0], [2, 10, 832]).holds.all()


def test_check_all_reports_counts_and_the_first_failure():
    table = appendix.check_all([0.1, 1.0], [1, 2, 832])
    assert set(table.index) == set(appendix.BOUNDS)
    assert table.loc["≤ r²/(r²+m−2)", "pairs"] == 4  # m = 1 is not claimed
    row = table.loc["≤ r²/(r²+m)"]
    assert (row.holds, row["first failure"]) == (0, "r = 0.1, m = 1")
    assert row.nearest == pytest.approx(appendix.padding_factor(0.1, 1) / (0.01 / 1.01))
    lower = table.loc["≥ r²/(r²+m)"]
    assert (lower.holds, lower["first failure"]) == (6, "")
    assert 1 < lower.nearest < 1.01


@pytest.mark.parametrize(("before", "r", "m"), [(0.7, 1.0, 3), (0.7, 3.0, 20), (-0.4, 27.7, PAPER_M), (0.0, 1.0, 2)])
def test_formulas_meet_simulation(before, r, m):
    found = appendix.simulate_padding(before, r, m, draws=20_000, seed=1)
    error, square_error = ((high - low) / 2 / 1.96 for low, high in (found.interval, found.square_interval))
    assert abs(found.mean - before * appendix.padding_factor(r, m)) < 4 * error
    assert abs(found.square - appendix.second_moment(before, r, m)) < 4 * square_error


def test_two_norms_give_the_product():
    rng = np.random.default_rng(0)
    x, y = appendix.pair(0.6, 1.0)
    u, v = rng.standard_normal((2, 40_000, 4))
    padded = [np.hstack([np.tile(z, (40_000, 1)), w]) for z, w in ((x, u), (3 * y, v))]
    found = appendix.cosine(*padded)
    expected = 0.6 * appendix.shrinkage(1.0, 4) * appendix.shrinkage(3.0, 4)
    assert abs(found.mean() - expected) < 4 * found.std() / 200


def test_same_padding_for_both_raises_the_cosine():
    rng = np.random.default_rng(0)
    padded = [
        np.hstack([np.tile(z, (20_000, 1)), u])
        for u in [rng.standard_normal((20_000, 6))]
        for z in appendix.pair(0.2, 2.0)
    ]
    found = appendix.cosine(*padded)
    assert abs(found.mean() - appendix.shared_padding(0.2, 2.0, 6)) < 4 * found.std() / 20_000**0.5
    assert found.mean() > 0.2


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_repetition_keeps_the_cosine(seed, k):
    x, y = np.random.default_rng(seed).standard_normal((2, 5))
    assert appendix.cosine(appendix.repeated(x, k), appendix.repeated(y, k)) == pytest.approx(
        appendix.cosine(x, y), abs=1e-12
    )


def test_uneven_repetition_changes_it():
    counts = appendix.copies(768, 1600)
    assert counts.sum() == 1600
    assert sorted(set(counts.tolist())) == [2, 3]
    assert appendix.cosine(appendix.repeated([1, 1], [3, 2]), appendix.repeated([1, -1], [3, 2])) == pytest.approx(
        1 / 5
    )
    with pytest.raises(ValueError, match="at least as many"):
        appendix.copies(10, 9)


@pytest.mark.parametrize("factor", [0.001, 0.5, 0.99])
@pytest.mark.parametrize("m", [1, 832])
def test_norm_for_inverts_the_factor(factor, m):
    assert appendix.padding_factor(appendix.norm_for(factor, m), m) == pytest.approx(factor, rel=1e-8)


@pytest.mark.parametrize(("r", "m"), [(0.0, 3), (-1.0, 3), (np.nan, 3), (1.0, -1), ([1.0, 0.0], 3)])
def test_bad_input_is_an_error(r, m):
    with pytest.raises(ValueError, match="must be positive and finite"):
        appendix.padding_factor(r, m)


@pytest.mark.parametrize(("factor", "m"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_no_norm_gives_an_impossible_factor(factor, m):
    with pytest.raises(ValueError, match="every value in"):
        appendix.norm_for(factor, m)


def test_monte_carlo_has_a_row_a_pair():
    table = appendix.monte_carlo([0.0, 1.0], [1.0, 9.0], 5, draws=700)
    assert table.before.tolist() == [0, 0, 1, 1]
    assert ((table.low < table["mean"]) & (table["mean"] < table.high)).all()
    assert table.formula.tolist()[2:] == pytest.approx([appendix.padding_factor(r, 5) for r in (1.0, 9.0)])


def test_claims_follow_the_numbers():
    table, drawn = appendix.check_all([1.0], [1, 5]), appendix.monte_carlo([0.5], [1.0, 3.0], 5, draws=1000)
    found = appendix.claims([0.0, 1e-16], table, [0.5, 0.2], drawn)
    assert [claim.verdict.word for claim in found] == [verdicts.REPRODUCED] * 4
    worse = table.assign(holds=0)
    off = drawn.assign(formula=drawn.formula + 1)
    found = appendix.claims([0.1, 0.2], worse, [1.0, 1.1], pd.DataFrame(off))
    assert [claim.verdict.word for claim in found] == [verdicts.NOT_REPRODUCED] * 4
