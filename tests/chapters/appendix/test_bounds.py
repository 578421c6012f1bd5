"""Bounds of the padding factor, where they hold and where they fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.chapters.appendix import bounds, factors

PAPER_M = 1600 - 768


@pytest.mark.parametrize("name", bounds.TRUE)
@given(r=st.floats(1e-3, 1e3), m=st.integers(1, 5000))
def test_proved_bounds_hold(name, r, m):
    bound = bounds.BOUNDS[name]
    assert bounds.check(bound, [r], [max(m, bound.least_m)]).holds.all()


@pytest.mark.parametrize("name", bounds.TRUE)
def test_proved_bounds_hold_at_the_values_of_the_paper(name):
    assert bounds.check(bounds.BOUNDS[name], [1.0], [PAPER_M]).holds.all()


def test_jensen_read_the_wrong_way_fails_everywhere():
    table = bounds.check(bounds.BOUNDS["≤ r²/(r²+m)"], [1e-3, 1.0, 500.0], [1, 2, 3, 5, 100, 832, 1600, 10_000])
    assert not table.holds.any()
    assert not bounds.check(bounds.BOUNDS["= r²/(r²+m)"], [1.0], [PAPER_M]).holds.any()


def test_other_forms_fail_for_short_vectors_and_hold_for_long_ones():
    over_m = bounds.BOUNDS["≤ r²/m"]
    assert not bounds.check(over_m, [1.0], [PAPER_M]).holds.any()
    assert bounds.check(over_m, [2**0.5, 5.0], [PAPER_M]).holds.all()
    minus_one = bounds.BOUNDS["≤ r²/(r²+m−1)"]
    assert not bounds.check(minus_one, [0.01], [2, 10, 832]).holds.any()
    assert bounds.check(minus_one, [100.0], [2, 10, 832]).holds.all()


def test_the_printed_bounds_at_the_values_of_the_paper():
    row = bounds.printed(1.0, [PAPER_M]).loc[PAPER_M]
    assert row["r² / lower bound"] == pytest.approx(PAPER_M + 1)
    assert row["r² / factor"] == pytest.approx(831.502, abs=5e-4)
    assert row["r² / upper bound"] == pytest.approx(PAPER_M)
    assert not row["upper bound holds"]
    assert bounds.printed(1.0, [1]).loc[1, ["upper bound holds", "fails below r"]].tolist() == [True, 0.0]


@pytest.mark.parametrize("m", [2, 4, 5, 100, PAPER_M, 5000])
def test_the_printed_upper_bound_fails_below_one_norm_and_holds_above(m):
    edge = bounds.failing_norm(m)
    short, long = edge * np.logspace(-2, -0.01, 20), edge * np.logspace(0.01, 2, 20)
    assert not bounds.check(bounds.BOUNDS[bounds.UPPER], short, [m]).holds.any()
    assert bounds.check(bounds.BOUNDS[bounds.UPPER], long, [m]).holds.all()


def test_the_failing_norm_grows_as_the_root_of_half_the_entries():
    assert bounds.failing_norm(10**6) == pytest.approx((10**6 / 2) ** 0.5, rel=1e-3)
    with pytest.raises(ValueError, match="With one entry the bound is 1"):
        bounds.failing_norm(1)


def test_check_all_reports_counts_and_the_first_failure():
    table = bounds.check_all([0.1, 1.0], [1, 2, 832])
    assert set(table.index) == set(bounds.BOUNDS)
    assert table.index[table.proved == "yes"].tolist() == list(bounds.TRUE)
    assert table.loc["≤ r²/(r²+m−2)", "pairs"] == 4  # m = 1 is not claimed
    row = table.loc["≤ r²/(r²+m)"]
    assert (row.holds, row["first failure"]) == (0, "r = 0.1, m = 1")
    assert row.nearest == pytest.approx(factors.padding_factor(0.1, 1) / (0.01 / 1.01))
    lower = table.loc["≥ r²/(r²+m)"]
    assert (lower.holds, lower["first failure"]) == (6, "")
    assert 1 < lower.nearest < 1.01
