"""The rules of the audit: a case for every verdict."""

import pytest

from decondense.chapters.audit import rules, tables
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED

YES, NO, OPEN = tables.CONSISTENT, tables.INCONSISTENT, tables.OPEN


@pytest.mark.parametrize(
    ("outcomes", "verdict", "why"),
    [
        ([YES, YES], REPRODUCED, "2 of 2 labels"),
        ([YES, YES, OPEN], REPRODUCED, "2 of 2 labels; 1 cannot be told"),
        ([YES, NO], PARTLY, "1 of 2 labels"),
        ([NO, NO], CONTRADICTED, "0 of 2 labels"),
    ],
)
def test_consistent_counts_what_can_be_told(outcomes, verdict, why):
    assert rules.consistent(outcomes, "labels") == (verdict, why)


def test_where_nothing_can_be_told_there_is_no_verdict():
    with pytest.raises(ValueError, match="Nothing was checked"):
        rules.consistent([OPEN], "labels")


@pytest.mark.parametrize(("p", "verdict"), [(0.049, REPRODUCED), (0.05, CANNOT_TELL), (0.9, CANNOT_TELL)])
def test_beyond_chance_never_contradicts(p, verdict):
    assert rules.beyond_chance(p).word == verdict
