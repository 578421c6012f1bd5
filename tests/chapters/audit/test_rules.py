"""The rules of the audit: a case for every verdict."""

import pytest

from decondense.chapters.audit import rules, tables
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED

YES, NO, OPEN = tables.CONSISTENT, tables.INCONSISTENT, tables.OPEN


@pytest.mark.parametrize(
    ("holds", "of", "verdict"),
    [(4, 4, REPRODUCED), (3, 4, PARTLY), (2, 4, PARTLY), (1, 4, NOT_REPRODUCED), (0, 0, NOT_TESTABLE)],
)
def test_counted(holds, of, verdict):
    assert rules.counted(holds, of, "rows").word == verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict", "why"),
    [
        ([YES, YES], REPRODUCED, "2 of 2 consistent"),
        ([YES, YES, OPEN], REPRODUCED, "2 of 2 consistent; 1 cannot be told"),
        ([YES, NO], PARTLY, "1 of 2 consistent"),
        ([NO, NO, YES], NOT_REPRODUCED, "1 of 3 consistent"),
        ([OPEN], NOT_TESTABLE, "nothing can be told"),
    ],
)
def test_all_consistent(outcomes, verdict, why):
    assert rules.all_consistent(outcomes) == (verdict, why)


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (2.0, REPRODUCED),  # above 1.96 unpaired errors
        (1.9, NOT_TESTABLE),  # it hangs on the flips
        (0.1, NOT_TESTABLE),  # 5,000 items: above 0.077 if all flips go one way
        (0.07, NOT_REPRODUCED),
        (0.0, NOT_REPRODUCED),
        (-1.0, NOT_REPRODUCED),
    ],
)
def test_judge_gain(gain, verdict):
    assert rules.judge_gain(gain, 1.0, 0.05, 500).word == verdict


def test_judge_gain_names_the_flips():
    assert "at most 5.0% of the items flip" in rules.judge_gain(1.0, 1.0, 0.05, 500).why


@pytest.mark.parametrize(
    ("p", "falls", "verdict"),
    [
        ([0.01, 0.04], True, REPRODUCED),
        ([0.01, 0.05], True, PARTLY),
        ([0.01, 0.01], False, NOT_REPRODUCED),
        ([0.9], False, NOT_REPRODUCED),
    ],
)
def test_judge_fall(p, falls, verdict):
    assert rules.judge_fall(p, falls).word == verdict
