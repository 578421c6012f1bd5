"""What a printed value stands for, and a case for every verdict of a check within rounding."""

import pytest

from decondense.paper import rounding
from decondense.paper.rounding import CONSISTENT, INCONSISTENT, OPEN
from decondense.paper.verdicts import CONTRADICTED, PARTLY, REPRODUCED
from decondense.stats import Interval

NAN = float("nan")


def test_rounded_is_what_prints_alike():
    assert rounding.rounded(34.4, 1) == pytest.approx((34.35, 34.45))
    assert rounding.rounded(0.0, 2) == pytest.approx((-0.005, 0.005))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 1), (0.5, 2), CONSISTENT),
        ((0, 1), (1, 2), CONSISTENT),  # the ends belong to the intervals
        ((0, 1), (1.001, 2), INCONSISTENT),
        ((1.001, 2), (0, 1), INCONSISTENT),
        ((0, NAN), (0, 1), OPEN),
    ],
)
def test_outcome(a, b, expected):
    assert rounding.outcome(Interval(*a), Interval(*b)) == expected


@pytest.mark.parametrize(
    ("outcomes", "verdict", "why"),
    [
        ([CONSISTENT, CONSISTENT], REPRODUCED, "2 of 2 labels"),
        ([CONSISTENT, CONSISTENT, OPEN], REPRODUCED, "2 of 2 labels; 1 cannot be told"),
        ([CONSISTENT, INCONSISTENT], PARTLY, "1 of 2 labels"),
        ([INCONSISTENT, INCONSISTENT], CONTRADICTED, "0 of 2 labels"),
    ],
)
def test_consistent_counts_what_can_be_told(outcomes, verdict, why):
    assert rounding.consistent(outcomes, "labels") == (verdict, why)


def test_where_nothing_can_be_told_there_is_no_verdict():
    with pytest.raises(ValueError, match="Nothing was checked"):
        rounding.consistent([OPEN], "labels")
