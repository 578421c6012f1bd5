"""The rules that judge training runs: a case for every verdict."""

import numpy as np
import pytest

from decondense.paper import run_verdicts
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.stats import Interval

NAN = float("nan")


@pytest.mark.parametrize(
    ("agree", "verdict", "why"),
    [
        ([True, True], REPRODUCED, "every quantity within"),
        ([True, False], NOT_REPRODUCED, "beyond the tolerance: loss"),  # half of them is not partly
        ([False, False], NOT_REPRODUCED, "beyond the tolerance: mu, loss"),
    ],
)
def test_agrees(agree, verdict, why):
    found = run_verdicts.agrees(["mu", "loss"], agree)
    assert found.word == verdict
    assert why in found.why


def test_nothing_compared_agrees_with_nothing():
    assert run_verdicts.agrees([], []).word == NOT_TESTABLE


@pytest.mark.parametrize(
    ("start", "later", "high", "verdict", "why"),
    [
        ([0.9, 0.8], [0.5, 0.8], [0.95, 0.9], REPRODUCED, "highest in 2 of 2 runs; 0 more"),
        ([0.9, 1.0], [0.5, 1.0], [0.95, 1.0], REPRODUCED, "highest in 1 of 1 runs; 1 more start at 1"),
        ([0.9, 0.8, 1.0], [0.5, 0.9, 0.2], [0.95, 0.9, 1.0], PARTLY, "1 of 2 runs"),
        ([0.9, 1.0, 1.0], [0.95, 0.2, 0.2], [0.95, 1.0, 1.0], NOT_REPRODUCED, "0 of 1 runs; 2 more"),  # not 2 of 3
        ([0.99, 1.0], [0.2, 0.2], [1.0, 1.0], NOT_TESTABLE, "2 of 2 start at 1"),
        ([0.9], [NAN], [0.95], NOT_TESTABLE, "not finite"),
        ([0.9], [0.5], [NAN], NOT_TESTABLE, "no interval"),
        ([], [], [], NOT_TESTABLE, "no run"),
    ],
)
def test_starts_highest(start, later, high, verdict, why):
    found = run_verdicts.starts_highest(start, later, high)
    assert found.word == verdict
    assert why in found.why


BELOW, ABOVE, AROUND, NOWHERE = Interval(-3, -1), Interval(1, 3), Interval(-1, 1), Interval(np.nan, np.nan)


@pytest.mark.parametrize(
    ("found", "below", "above"),
    [
        ([BELOW, BELOW], REPRODUCED, NOT_REPRODUCED),
        ([BELOW, AROUND], PARTLY, NOT_REPRODUCED),
        ([AROUND, AROUND], NOT_REPRODUCED, NOT_REPRODUCED),
        ([BELOW, ABOVE], PARTLY, PARTLY),
        ([ABOVE], NOT_REPRODUCED, REPRODUCED),
        ([BELOW, NOWHERE], NOT_TESTABLE, NOT_TESTABLE),
        ([Interval(0, 0), Interval(0, 0)], NOT_TESTABLE, NOT_TESTABLE),
        ([], NOT_TESTABLE, NOT_TESTABLE),
    ],
)
def test_on_one_side(found, below, above):
    assert run_verdicts.on_one_side(found, -1).word == below
    assert run_verdicts.on_one_side(found, 1).word == above


def test_the_opposite_is_named():
    assert run_verdicts.on_one_side([BELOW, ABOVE], -1).why == "below 0 in 1 of 2 models; the opposite in 1"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([BELOW, AROUND], REPRODUCED),
        ([BELOW, Interval(0, 2.5)], PARTLY),
        ([BELOW, Interval(2.1, 2.5)], NOT_REPRODUCED),
        ([NOWHERE], NOT_TESTABLE),
    ],
)
def test_not_raised(found, verdict):
    assert run_verdicts.not_raised(found, 2.0).word == verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([Interval(0.1, 0.4), Interval(0.2, 0.41)], REPRODUCED),
        ([Interval(0.1, 0.4), Interval(0.2, 0.43)], NOT_TESTABLE),
        ([Interval(0.1, 0.4), Interval(0.43, 0.9)], NOT_REPRODUCED),
        ([NOWHERE], NOT_TESTABLE),
    ],
)
def test_beyond_spread(found, verdict):
    assert run_verdicts.beyond_spread(0.42, found).word == verdict


@pytest.mark.parametrize(
    ("differences", "verdict", "why"),
    [
        ([(-0.02, 0.1), (0.1, 0.2)], REPRODUCED, "of 2 differences 0 below 0 beyond the uncertainty, 0 too uncertain"),
        ([(0.0, 0.0)], REPRODUCED, "0 below"),
        ([(-0.1, 0.0)], REPRODUCED, "0 below"),
        ([(-0.02, -0.01), (0.1, 0.2)], PARTLY, "1 below"),
        ([(-0.3, 0.3), (0.1, 0.2)], PARTLY, "0 below 0 beyond the uncertainty, 1 too uncertain"),
        ([(-0.02, -0.01), (-0.2, -0.1), (0.1, 0.2)], NOT_REPRODUCED, "2 below"),
        ([(-0.02, -0.01), (-0.3, 0.3)], NOT_REPRODUCED, "1 below 0 beyond the uncertainty, 1 too"),  # nothing for it
        ([(-0.02, -0.01), (-0.3, 0.3), (0.1, 0.2)], PARTLY, "1 below 0 beyond the uncertainty, 1 too"),
        ([(-0.02, -0.01)], NOT_REPRODUCED, "1 below"),
        ([(-0.3, 0.3), (-0.2, 0.0)], NOT_TESTABLE, "2 too uncertain"),
        ([(NAN, NAN), (0.1, 0.2)], NOT_TESTABLE, "two texts or seeds"),
        ([], NOT_TESTABLE, "`--profile gpu`"),
    ],
)
def test_not_lower(differences, verdict, why):
    found = run_verdicts.not_lower([Interval(*each) for each in differences])
    assert found.word == verdict
    assert why in found.why
