"""The rules that judge a claim: a case for every verdict."""

from dataclasses import replace

import numpy as np
import pytest

from decondense.paper import verdicts
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.stats import Interval

NAN = float("nan")


def spans(*pairs):
    return [Interval(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("end", "steps", "verdict", "why"),
    [
        ((-0.9, -0.7), [(-0.5, -0.3), (-0.5, -0.1)], REPRODUCED, "no step rises"),
        ((-0.9, -0.7), [(-0.5, -0.3), (-0.1, 0.2)], REPRODUCED, "no step rises"),  # a step that may do either
        ((-0.9, -0.1), [(-0.9, -0.7), (0.1, 0.3)], PARTLY, "1 of 2 steps rise"),
        ((-0.2, 0.1), [(-0.2, 0.1)], NOT_REPRODUCED, "no fall beyond the uncertainty"),
        ((-0.2, 0.0), [(-0.2, 0.0)], NOT_REPRODUCED, "no fall"),  # it touches 0
        ((0.1, 0.5), [(0.1, 0.5)], NOT_REPRODUCED, "it rises"),
        ((-0.2, -0.1), [], NOT_TESTABLE, "two sizes"),
        ((NAN, NAN), [(-0.2, -0.1)], NOT_TESTABLE, "two texts"),
        ((-0.2, -0.1), [(NAN, NAN)], NOT_TESTABLE, "two texts"),
    ],
)
def test_falls_with_size(end, steps, verdict, why):
    found = verdicts.falls_with_size(Interval(*end), spans(*steps))
    assert found.word == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("here", "verdict"),
    [
        ([0.5, 0.5], REPRODUCED),
        ([0.625, 0.375], REPRODUCED),  # exactly the tolerance
        ([0.5, 0.7], PARTLY),
        ([0.3, 0.7], NOT_REPRODUCED),
    ],
)
def test_within(here, verdict):
    found = verdicts.within(here, [0.5, 0.5], 0.125)
    assert found.word == verdict
    assert f"largest difference {max(abs(h - 0.5) for h in here):.3f}" in found.why


def test_within_needs_a_value():
    assert verdicts.within([], [], 0.1).word == NOT_TESTABLE


@pytest.mark.parametrize(
    ("tables", "verdict"),
    [
        ({"a": [3.0, 2.0, 1.0], "b": [0.3, 0.2, 0.1], "c": [9.0, 5.0, 1.0]}, REPRODUCED),
        ({"a": [4.0, 3.0, 2.0, 1.0], "b": [4.0, 3.0, 1.0, 2.0]}, PARTLY),  # tau-b 2/3
        ({"a": [3.0, 2.0, 1.0], "b": [1.0, 2.0, 3.0]}, NOT_REPRODUCED),
        ({"a": [3.0, 2.0, 1.0], "b": [3.0, 2.0, 1.0], "c": [1.0, 2.0, 3.0]}, NOT_REPRODUCED),  # one pair is enough
        ({"a": [3.0, 2.0, 1.0]}, NOT_TESTABLE),
        ({"a": [3.0], "b": [1.0]}, NOT_TESTABLE),
        ({"a": [3.0, 2.0], "b": [1.0, 1.0]}, NOT_TESTABLE),
    ],
)
def test_same_order(tables, verdict):
    assert verdicts.same_order(tables).word == verdict


@pytest.fixture
def falling(condensation):
    """The toy result the other way round: mu falls with depth."""
    return replace(condensation, mu_per_text=condensation.mu_per_text[:, ::-1].copy())


@pytest.mark.parametrize(("rising", "fallen", "verdict"), [(2, 0, REPRODUCED), (1, 1, PARTLY), (0, 2, NOT_REPRODUCED)])
def test_grows_with_depth(condensation, falling, rising, fallen, verdict):
    found = verdicts.grows_with_depth([condensation] * rising + [falling] * fallen)
    assert found.word == verdict
    assert f"in {rising} of 2 models" in found.why


def test_grows_with_depth_needs_texts(condensation):
    mu = condensation.mu_per_text[:1]
    one = replace(condensation, mu_per_text=mu, mu_off_diagonal_per_text=mu, tokens=np.array([32]))
    assert verdicts.grows_with_depth([one]).word == NOT_TESTABLE
    assert verdicts.grows_with_depth([]).word == NOT_TESTABLE


@pytest.mark.parametrize(
    ("interval", "verdict", "why"),
    [
        ((0.1, 0.3), REPRODUCED, "above 0"),
        ((-0.1, 0.3), NOT_REPRODUCED, "includes 0"),
        ((-0.3, -0.1), NOT_REPRODUCED, "below 0"),
        ((NAN, NAN), NOT_TESTABLE, "two texts"),
    ],
)
def test_is_positive(interval, verdict, why):
    found = verdicts.is_positive(Interval(*interval))
    assert found.word == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("interval", "verdict", "why"),
    [
        ((-0.4, -0.1), REPRODUCED, "lies below 0"),
        ((-0.4, 0.0), NOT_REPRODUCED, "includes 0"),
        ((0.1, 0.4), NOT_REPRODUCED, "[0.100, 0.400] lies above 0"),
        ((NAN, NAN), NOT_TESTABLE, "two seeds"),
    ],
)
def test_is_negative(interval, verdict, why):
    found = verdicts.is_negative(Interval(*interval))
    assert found.word == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("here", "verdict"),
    [([1.0, 2.0], REPRODUCED), ([1.0, 3.0], PARTLY), ([2.0, 3.0], NOT_REPRODUCED), ([], NOT_TESTABLE)],
)
def test_all_below(here, verdict):
    assert verdicts.all_below(here, [1.0, 2.0][: len(here)]).word == verdict


@pytest.mark.parametrize(
    ("differences", "means", "verdict", "why"),
    [
        ([(0.1, 0.3), (0.2, 0.5)], [0.2, 0.3], REPRODUCED, "ahead of 2 of 2 others, beyond the uncertainty of 2"),
        ([(0.1, 0.3), (-0.1, 0.5)], [0.2, 0.3], PARTLY, "ahead of 2 of 2 others, beyond the uncertainty of 1"),
        ([(0.0, 0.3)], [0.2], PARTLY, "uncertainty of 0"),  # it touches 0
        ([(0.1, 0.3), (-0.5, 0.1)], [0.2, -0.2], NOT_REPRODUCED, "ahead of 1 of 2 others"),
        ([(-0.1, 0.1)], [0.0], NOT_REPRODUCED, "ahead of 0 of 1"),  # another is as high
        ([], [], NOT_TESTABLE, "needs another condition"),
        ([(NAN, NAN)], [0.3], NOT_TESTABLE, "needs another condition"),
        ([(0.1, 0.3)], [NAN], NOT_TESTABLE, "needs another condition"),
    ],
)
def test_is_best(differences, means, verdict, why):
    found = verdicts.is_best(spans(*differences), means)
    assert found.word == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("value", "interval", "verdict"),
    [
        (0.0, (-0.125, 0.125), REPRODUCED),  # exactly the tolerance
        (0.1, (0.05, 0.12), REPRODUCED),  # it is not 0, but small
        (0.0, (-0.01, 0.13), PARTLY),
        (0.125, (-0.5, 0.8), PARTLY),
        (0.2, (0.1, 0.3), NOT_REPRODUCED),
        (-0.2, (-0.3, 0.1), NOT_REPRODUCED),
        (0.0, (NAN, NAN), NOT_TESTABLE),
    ],
)
def test_is_zero(value, interval, verdict):
    assert verdicts.is_zero(value, Interval(*interval), 0.125).word == verdict


def test_is_zero_says_the_change():
    assert verdicts.is_zero(0.1, Interval(-0.01, 0.25), 0.125).why == "change in [-0.0100, 0.2500]"


@pytest.mark.parametrize(
    ("differences", "verdict", "count"),
    [
        ([(-0.2, -0.1), (-0.5, -0.3)], REPRODUCED, "2 of 2"),
        ([(-0.2, 0.1), (-0.5, -0.3)], PARTLY, "1 of 2"),
        ([(-0.2, -0.1), (-0.5, 0.0)], NOT_REPRODUCED, "1 of 2"),  # the largest dose decides; it touches 0
        ([(0.1, 0.2), (0.3, 0.5)], NOT_REPRODUCED, "0 of 2"),
        ([], NOT_TESTABLE, "needs a dose"),
        ([(-0.2, -0.1), (NAN, NAN)], NOT_TESTABLE, "two seeds"),
    ],
)
def test_falls_with_dose(differences, verdict, count):
    found = verdicts.falls_with_dose(spans(*differences))
    assert found.word == verdict
    assert count in found.why


@pytest.mark.parametrize(
    ("here", "verdict"),
    [
        ([1.5, 2.0], REPRODUCED),
        ([1.5, 1.0], PARTLY),  # 1 is not above 1
        ([0.5, 1.0, 2.0], NOT_REPRODUCED),
        ([], NOT_TESTABLE),
        ([2.0, NAN], NOT_TESTABLE),
    ],
)
def test_all_above(here, verdict):
    assert verdicts.all_above(here, 1.0).word == verdict


def test_all_above_is_above_zero_and_says_how_many():
    assert verdicts.all_above([0.1, 0.0]) == verdicts.Verdict(PARTLY, "1 of 2 above 0")
    assert verdicts.all_above([0.1, 0.2]).why == "2 of 2 above 0"


def test_is_best_cannot_tell_where_no_item_changed():
    none = Interval(0.0, 0.0)
    assert verdicts.is_best([none, none, Interval(-1.0, 0.0)], [0.0, 0.0, -0.5]).word == NOT_TESTABLE
    assert verdicts.is_best([none, Interval(-1.0, 0.0)], [0.0, -0.5]).word == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("holds", "least", "verdict"),
    [(4, 0.5, REPRODUCED), (2, 0.5, PARTLY), (1, 0.5, NOT_REPRODUCED), (1, 0.0, PARTLY), (0, 0.0, NOT_REPRODUCED)],
)
def test_by_count(holds, least, verdict):
    assert verdicts.by_count(holds, 4, "so it is", least) == (verdict, "so it is")


# --- training runs ---


@pytest.mark.parametrize(
    ("agree", "verdict", "why"),
    [
        ([True, True], REPRODUCED, "every quantity within"),
        ([True, False], NOT_REPRODUCED, "beyond the tolerance: loss"),  # half of them is not partly
        ([False, False], NOT_REPRODUCED, "beyond the tolerance: mu, loss"),
    ],
)
def test_agrees(agree, verdict, why):
    found = verdicts.agrees(["mu", "loss"], agree)
    assert found.word == verdict
    assert why in found.why


def test_nothing_compared_agrees_with_nothing():
    assert verdicts.agrees([], []).word == NOT_TESTABLE


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
    found = verdicts.starts_highest(start, later, high)
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
    assert verdicts.on_one_side(found, -1).word == below
    assert verdicts.on_one_side(found, 1).word == above


def test_the_opposite_is_named():
    assert verdicts.on_one_side([BELOW, ABOVE], -1).why == "below 0 in 1 of 2 models; the opposite in 1"


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
    assert verdicts.not_raised(found, 2.0).word == verdict


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
    assert verdicts.beyond_spread(0.42, found).word == verdict


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
    found = verdicts.not_lower(spans(*differences))
    assert found.word == verdict
    assert why in found.why
