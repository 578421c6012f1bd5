"""The rules that judge a claim: a case for every verdict, and on every border."""

from dataclasses import replace

import pytest

from decondense.paper import verdicts
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.stats import Interval

NAN = float("nan")
UNKNOWN, BELOW, ABOVE, AROUND = (Interval(*ends) for ends in ((NAN, NAN), (-3, -1), (1, 3), (-1, 1)))
UP_TO_0, FROM_0, NONE = Interval(-1, 0), Interval(0, 1), Interval(0, 0)


def spans(*pairs):
    return [Interval(*pair) for pair in pairs]


CASES = {  # rule -> (arguments, verdict, a part of the reason)
    "by_count": [
        ((4, 4, "so it is"), REPRODUCED, "so it is"),
        ((2, 4, "so it is"), PARTLY, "so it is"),
        ((1, 4, "so it is"), NOT_REPRODUCED, "so it is"),
        ((1, 4, "so it is", 0.0), PARTLY, "so it is"),
        ((0, 4, "so it is", 0.0), NOT_REPRODUCED, "so it is"),
    ],
    "within": [
        (([0.5, 0.5], [0.5, 0.5], 0.125), REPRODUCED, "2 of 2 within 0.125; largest difference 0.000"),
        (([0.625, 0.375], [0.5, 0.5], 0.125), REPRODUCED, "largest difference 0.125"),  # exactly the tolerance
        (([0.5, 0.7], [0.5, 0.5], 0.125), PARTLY, "largest difference 0.200"),
        (([0.3, 0.7], [0.5, 0.5], 0.125), NOT_REPRODUCED, "0 of 2"),
        (([], [], 0.1), NOT_TESTABLE, "not measured in this profile"),
        (([0.5, NAN], [0.5, 0.5], 0.125), NOT_TESTABLE, "not finite"),
    ],
    "all_below": [
        (([1.0, 2.0], [1.0, 2.0]), REPRODUCED, "2 of 2 at or below"),
        (([1.0, 3.0], [1.0, 2.0]), PARTLY, "1 of 2"),
        (([2.0, 3.0], [1.0, 2.0]), NOT_REPRODUCED, "0 of 2"),
        (([], []), NOT_TESTABLE, "nothing was measured"),
        (([0.5, NAN], [1.0, 1.0]), NOT_TESTABLE, "not finite"),
    ],
    "all_above": [
        (([1.5, 2.0], 1.0), REPRODUCED, "2 of 2 above 1"),
        (([1.5, 1.0], 1.0), PARTLY, "1 of 2"),  # 1 is not above 1
        (([0.1, 0.0],), PARTLY, "1 of 2 above 0"),
        (([0.5, 1.0, 2.0], 1.0), NOT_REPRODUCED, "1 of 3"),
        (([],), NOT_TESTABLE, "nothing was measured"),
        (([2.0, NAN], 1.0), NOT_TESTABLE, "not finite"),
    ],
    "starts_highest": [
        (([0.9, 0.8], [0.5, 0.8], [0.95, 0.9]), REPRODUCED, "highest in 2 of 2 runs; 0 more"),
        (([0.9, 1.0], [0.5, 1.0], [0.95, 1.0]), REPRODUCED, "highest in 1 of 1 runs; 1 more start at 1"),
        (([0.9, 0.8, 1.0], [0.5, 0.9, 0.2], [0.95, 0.9, 1.0]), PARTLY, "1 of 2 runs"),
        (([0.9, 1.0, 1.0], [0.95, 0.2, 0.2], [0.95, 1.0, 1.0]), NOT_REPRODUCED, "0 of 1 runs; 2 more"),  # not 2 of 3
        (([0.99, 1.0], [0.2, 0.2], [1.0, 1.0]), NOT_TESTABLE, "2 of 2 start at 1"),
        (([0.9], [NAN], [0.95]), NOT_TESTABLE, "not finite"),
        (([0.9], [0.5], [NAN]), NOT_TESTABLE, "no interval"),
        (([], [], []), NOT_TESTABLE, "no run"),
    ],
    "same_order": [
        (({"a": [3.0, 2.0, 1.0], "b": [0.3, 0.2, 0.1], "c": [9.0, 5.0, 1.0]},), REPRODUCED, "3 models: tau-b 1.00"),
        (({"a": [4.0, 3.0, 2.0, 1.0], "b": [4.0, 3.0, 1.0, 2.0]},), PARTLY, "tau-b 0.67"),
        (({"a": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "b": [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]},), PARTLY, "tau-b 0.60"),
        (({"a": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "b": [5.0, 6.0, 3.0, 1.0, 4.0, 2.0]},), NOT_REPRODUCED, "tau-b 0.47"),
        (({"a": [3.0, 2.0, 1.0], "b": [3.0, 2.0, 1.0], "c": [1.0, 2.0, 3.0]},), NOT_REPRODUCED, "tau-b -1.00"),
        (({"a": [4.0, 3.0, 2.0, 1.0], "b": [4.0, 3.0, 1.0, 2.0], "c": [4.0, 2.0, 1.0, 3.0]},), NOT_REPRODUCED, "0.33"),
        (({"a": [3.0, 2.0, 1.0]},), NOT_TESTABLE, "two texts"),
        (({"a": [3.0], "b": [1.0]},), NOT_TESTABLE, "two models"),
        (({"a": [3.0, 2.0], "b": [1.0, 1.0]},), NOT_TESTABLE, "no order"),
    ],
    "agrees": [
        ((["mu", "loss"], [True, True]), REPRODUCED, "every quantity within"),
        ((["mu", "loss"], [True, False]), NOT_REPRODUCED, "beyond the tolerance: loss"),  # half of them is not partly
        ((["mu", "loss"], [False, False]), NOT_REPRODUCED, "beyond the tolerance: mu, loss"),
        (([], []), NOT_TESTABLE, "nothing"),
    ],
    "is_positive": [
        ((ABOVE,), REPRODUCED, "[1.000, 3.000] lies above 0"),
        ((FROM_0,), NOT_REPRODUCED, "includes 0"),
        ((BELOW,), NOT_REPRODUCED, "lies below 0"),
        ((UNKNOWN,), NOT_TESTABLE, "two texts"),
    ],
    "is_negative": [
        ((BELOW,), REPRODUCED, "lies below 0"),
        ((UP_TO_0,), NOT_REPRODUCED, "includes 0"),
        ((ABOVE,), NOT_REPRODUCED, "lies above 0"),
        ((UNKNOWN,), NOT_TESTABLE, "two seeds"),
    ],
    "is_zero": [
        ((0.0, Interval(-0.125, 0.125), 0.125), REPRODUCED, "change in [-0.1250, 0.1250]"),  # exactly the tolerance
        ((0.1, Interval(0.05, 0.12), 0.125), REPRODUCED, ""),  # it is not 0, but small
        ((0.0, Interval(-0.01, 0.13), 0.125), PARTLY, ""),
        ((0.0, Interval(-0.13, 0.01), 0.125), PARTLY, ""),
        ((0.125, Interval(-0.5, 0.8), 0.125), PARTLY, ""),
        ((0.2, Interval(0.1, 0.3), 0.125), NOT_REPRODUCED, ""),
        ((-0.2, Interval(-0.3, 0.1), 0.125), NOT_REPRODUCED, ""),
        ((0.0, UNKNOWN, 0.125), NOT_TESTABLE, "two seeds"),
    ],
    "on_one_side": [
        (([BELOW, BELOW], -1), REPRODUCED, "below 0 in 2 of 2 models; the opposite in 0"),
        (([BELOW, BELOW], 1), NOT_REPRODUCED, "above 0 in 0 of 2 models; the opposite in 2"),
        (([BELOW, ABOVE, AROUND], -1), PARTLY, "below 0 in 1 of 3 models; the opposite in 1"),
        (([BELOW, ABOVE, AROUND], 1), PARTLY, "above 0 in 1 of 3 models; the opposite in 1"),
        (([UP_TO_0], -1), NOT_REPRODUCED, "0 of 1"),
        (([FROM_0, NONE], 1), NOT_REPRODUCED, "0 of 2"),
        (([BELOW, UNKNOWN], -1), NOT_TESTABLE, "two seeds"),
        (([NONE, NONE], 1), NOT_TESTABLE, "the same in every seed"),
        (([Interval(-1, -1)], -1), REPRODUCED, ""),  # the same in every seed, but not 0
        (([], 1), NOT_TESTABLE, "two seeds"),
    ],
    "not_raised": [
        (([BELOW, AROUND], 1.0), REPRODUCED, "at most 1.000 above in 2 of 2 models, more in 0"),
        (([BELOW, Interval(1, 2.5)], 1.0), PARTLY, "more in 0"),
        (([BELOW, Interval(1.1, 2.5)], 1.0), NOT_REPRODUCED, "more in 1"),
        (([UNKNOWN], 1.0), NOT_TESTABLE, "two seeds"),
    ],
    "not_lower": [
        ((spans((-0.02, 0.1), (0.1, 0.2)),), REPRODUCED, "of 2 differences 0 below 0 beyond the uncertainty, 0 too"),
        (([NONE],), REPRODUCED, "0 below"),
        ((spans((-0.1, 0.0)),), REPRODUCED, "0 below"),
        ((spans((-0.02, -0.01), (0.1, 0.2)),), PARTLY, "1 below"),
        ((spans((-0.15, 0.3), (0.1, 0.2)),), PARTLY, "0 below 0 beyond the uncertainty, 1 too uncertain"),
        ((spans((-0.02, -0.01), (-0.2, -0.1), (0.1, 0.2)),), NOT_REPRODUCED, "2 below"),
        ((spans((-0.02, -0.01), (-0.3, 0.3)),), NOT_REPRODUCED, "1 below 0 beyond the uncertainty, 1 too"),
        ((spans((-0.02, -0.01), (-0.3, 0.3), (0.1, 0.2)),), PARTLY, "1 below 0 beyond the uncertainty, 1 too"),
        ((spans((-0.02, -0.01)),), NOT_REPRODUCED, "1 below"),
        ((spans((-0.3, 0.3), (-0.2, 0.0)),), NOT_TESTABLE, "2 too uncertain"),
        ((spans((NAN, NAN), (0.1, 0.2)),), NOT_TESTABLE, "two texts or seeds"),
        (([],), NOT_TESTABLE, "`--profile gpu`"),
    ],
    "beyond_spread": [
        ((0.42, spans((0.1, 0.4), (0.2, 0.41))), REPRODUCED, "[0.10, 0.40]; [0.20, 0.41], at most 0.42 allowed"),
        ((0.42, spans((0.1, 0.4), (0.2, 0.42))), NOT_TESTABLE, ""),
        ((0.42, spans((0.1, 0.4), (0.42, 0.9))), NOT_TESTABLE, ""),
        ((0.42, spans((0.1, 0.4), (0.43, 0.9))), NOT_REPRODUCED, ""),
        ((0.42, [UNKNOWN]), NOT_TESTABLE, "two seeds"),
    ],
    "falls_with_size": [
        ((BELOW, [BELOW, BELOW]), REPRODUCED, "largest - smallest in [-3.000, -1.000], and no step rises"),
        ((BELOW, [BELOW, FROM_0]), REPRODUCED, "no step rises"),  # a step that may do either
        ((BELOW, [BELOW, ABOVE]), PARTLY, "1 of 2 steps rise"),
        ((AROUND, [AROUND]), NOT_REPRODUCED, "no fall beyond the uncertainty"),
        ((UP_TO_0, [UP_TO_0]), NOT_REPRODUCED, "no fall"),
        ((FROM_0, [FROM_0]), NOT_REPRODUCED, "no fall"),
        ((ABOVE, [ABOVE]), NOT_REPRODUCED, "it rises"),
        ((BELOW, []), NOT_TESTABLE, "two sizes"),
        ((UNKNOWN, [BELOW]), NOT_TESTABLE, "two texts"),
        ((BELOW, [UNKNOWN]), NOT_TESTABLE, "two texts"),
    ],
    "falls_with_dose": [
        (([BELOW, BELOW],), REPRODUCED, "2 of 2"),
        (([AROUND, BELOW],), PARTLY, "1 of 2"),
        (([BELOW, UP_TO_0],), NOT_REPRODUCED, "1 of 2"),  # the largest dose decides
        (([ABOVE, ABOVE],), NOT_REPRODUCED, "0 of 2"),
        (([],), NOT_TESTABLE, "needs a dose"),
        (([BELOW, UNKNOWN],), NOT_TESTABLE, "two seeds"),
    ],
    "is_best": [
        (([ABOVE, ABOVE], [2.0, 2.0]), REPRODUCED, "ahead of 2 of 2 others, beyond the uncertainty of 2"),
        (([ABOVE, AROUND], [2.0, 0.1]), PARTLY, "ahead of 2 of 2 others, beyond the uncertainty of 1"),
        (([FROM_0], [0.2]), PARTLY, "uncertainty of 0"),
        (([ABOVE, AROUND], [2.0, -0.1]), NOT_REPRODUCED, "ahead of 1 of 2 others"),
        (([AROUND], [0.0]), NOT_REPRODUCED, "ahead of 0 of 1"),  # another is as high
        (([NONE, UP_TO_0], [0.0, -0.5]), NOT_REPRODUCED, "ahead of 0 of 2"),
        (([NONE, NONE, UP_TO_0], [0.0, 0.0, -0.5]), NOT_TESTABLE, "in 2 of 3 comparisons no item changed"),
        (([], []), NOT_TESTABLE, "needs another condition"),
        (([UNKNOWN], [0.3]), NOT_TESTABLE, "needs another condition"),
        (([ABOVE], [NAN]), NOT_TESTABLE, "needs another condition"),
    ],
}


@pytest.mark.parametrize(
    ("rule", "arguments", "verdict", "why"), [(rule, *case) for rule, cases in CASES.items() for case in cases]
)
def test_rule(rule, arguments, verdict, why):
    found = getattr(verdicts, rule)(*arguments)
    assert found.word == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("intervals", "verdict", "why"),
    [
        ([ABOVE, ABOVE], REPRODUCED, "in 2 of 2 models"),
        ([ABOVE, BELOW, FROM_0], PARTLY, "in 1 of 3 models"),
        ([BELOW], NOT_REPRODUCED, "in 0 of 1 models"),
        ([ABOVE, UNKNOWN], NOT_TESTABLE, "two texts"),
        ([], NOT_TESTABLE, "needs a trained model"),
    ],
)
def test_grows_with_depth(condensation, intervals, verdict, why):
    results = [replace(condensation) for _ in intervals]
    for result, interval in zip(results, intervals, strict=True):
        vars(result)["rho_interval"] = interval
    found = verdicts.grows_with_depth(results)
    assert found.word == verdict
    assert why in found.why
