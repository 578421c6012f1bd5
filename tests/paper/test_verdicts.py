"""The rules that judge a claim: the table of their cases, every border, and how often chance alone gives each word."""

from collections import Counter

import numpy as np
import pytest

from decondense import stats
from decondense.paper import verdicts
from decondense.paper.verdicts import (
    CANNOT_TELL,
    CONTRADICTED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    SMALLER,
    Verdict,
    effect,
    judge,
    no_change,
    not_beyond,
)
from decondense.stats import Estimate, Interval

NAN = float("nan")


def known(value, error, units=10_000):
    """An estimate whose 95 % interval is value +- 1.96 errors."""
    reach = 1.959964 * error
    p = 2 * float(stats.norm.sf(abs(value) / error)) if error else NAN
    return Estimate(value, Interval(value - reach, value + reach), p, units)


# --- the table of cases -----------------------------------------------------------------------------------------------

OF_AN_EFFECT = [  # interval, smallest effect, word
    ((0.5, 1.5), 1.0, REPRODUCED),
    ((1.5, 2.5), 1.0, REPRODUCED),  # larger than it need be
    ((0.2, 0.8), 1.0, SMALLER),
    ((-0.5, 1.5), 1.0, CANNOT_TELL),
    ((-0.5, 0.5), 1.0, CONTRADICTED),
    ((-1.5, -0.5), 1.0, CONTRADICTED),  # the other side
    ((0.0, 1.5), 1.0, CANNOT_TELL),  # touches 0
    ((0.2, 1.0), 1.0, REPRODUCED),  # touches the smallest effect
    ((-0.5, 1.0), 1.0, CANNOT_TELL),
    ((-0.9, 0.0), 1.0, CONTRADICTED),
    ((-1.5, -0.5), -1.0, REPRODUCED),  # a claimed fall
    ((-0.8, -0.2), -1.0, SMALLER),
    ((-1.5, 0.5), -1.0, CANNOT_TELL),
    ((-0.5, 0.5), -1.0, CONTRADICTED),
    ((0.5, 1.5), -1.0, CONTRADICTED),
]
OF_NO_CHANGE = [
    ((-0.5, 0.5), 1.0, REPRODUCED),
    ((-1.0, 1.0), 1.0, REPRODUCED),
    ((0.2, 0.8), 1.0, REPRODUCED),  # a change, and a small one
    ((0.5, 1.5), 1.0, CANNOT_TELL),
    ((-1.5, 1.5), 1.0, CANNOT_TELL),
    ((1.5, 2.5), 1.0, CONTRADICTED),
    ((-2.5, -1.5), 1.0, CONTRADICTED),
    ((1.0, 2.0), 1.0, CANNOT_TELL),
]
OF_NOT_BEYOND = [
    ((-0.5, 0.5), -1.0, REPRODUCED),
    ((0.5, 9.0), -1.0, REPRODUCED),  # to the other side it may go as far as it likes
    ((-1.0, 0.5), -1.0, REPRODUCED),
    ((-1.5, 0.5), -1.0, CANNOT_TELL),
    ((-2.0, -1.5), -1.0, CONTRADICTED),
    ((-0.5, 0.9), 1.0, REPRODUCED),
    ((0.5, 1.5), 1.0, CANNOT_TELL),
    ((1.5, 2.5), 1.0, CONTRADICTED),
]


@pytest.mark.parametrize(
    ("rule", "interval", "number", "word"),
    [
        (rule, *case)
        for rule, cases in (
            (verdicts.word_of_effect, OF_AN_EFFECT),
            (verdicts.word_of_no_change, OF_NO_CHANGE),
            (verdicts.word_of_not_beyond, OF_NOT_BEYOND),
        )
        for case in cases
    ],
)
def test_the_word_is_a_function_of_an_interval_and_a_number(rule, interval, number, word):
    assert rule(Interval(*interval), number) == word


def test_an_effect_has_every_word_but_those_that_need_more_than_an_interval():
    assert {word for *_, word in OF_AN_EFFECT} == set(verdicts.BADGES) - {NOT_TESTABLE, PARTLY}


# --- at the door ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [effect, no_change, not_beyond])
@pytest.mark.parametrize("number", [0.0, NAN, float("inf")])
def test_a_claim_without_its_smallest_effect_is_an_error(rule, number):
    with pytest.raises(ValueError, match="needs the smallest effect that counts"):
        rule(known(1, 0.1), number, "no reason")


@pytest.mark.parametrize("rule", [effect, no_change, not_beyond])
def test_one_unit_gives_no_verdict(rule):
    with pytest.raises(ValueError, match=r"1 seeds give none.*not_testable"):
        rule(stats.mean_and_interval([0.3]), 1.0, "published")


# --- a page -----------------------------------------------------------------------------------------------------------


def test_the_levels_are_holms():
    """0.01 of 3 is tested at 0.05 / 3, 0.02 at 0.05 / 2, which stands; 0.2 at 0.05."""
    assert verdicts.levels([0.2, 0.01, 0.02]) == pytest.approx([0.95, 1 - 0.05 / 3, 1 - 0.05 / 2])
    assert verdicts.levels([0.2, 0.01, 0.03]) == pytest.approx([0.975, 1 - 0.05 / 3, 0.975])  # 0.03 is not rejected
    assert verdicts.levels([NAN, 0.02]) == pytest.approx([0.95, 0.975])  # the family is no smaller for it
    assert verdicts.levels([NAN, 0.04]) == pytest.approx([0.975, 0.975])
    assert verdicts.levels([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_levels_reject_what_holm_rejects(seed):
    p = np.random.default_rng(seed).random(6) ** 3
    rejected = [value <= 1 - level for value, level in zip(p, verdicts.levels(p.tolist()), strict=True)]
    assert rejected == list(stats.holm(p) <= stats.ALPHA)


def test_the_tests_of_a_page_are_one_family():
    """At p = 0.03 an effect is reproduced alone, and not beside three others."""
    clear, doubtful = known(5.0, 0.1), known(1.0, 0.46)
    (alone,) = judge([[effect(doubtful, 1.0, "published")]])
    assert alone.word == REPRODUCED
    page = [
        [effect(doubtful, 1.0, "published")],
        [effect(known(0.1, 1.0), 1.0, "p")],
        [effect(known(0.2, 1.0), 1.0, "p")],
    ]
    assert judge(page)[0].word == CANNOT_TELL
    assert judge([[effect(doubtful, 1.0, "p")], [effect(clear, 1.0, "p")]])[0].word == REPRODUCED  # Holm steps down


def test_a_claim_on_several_items_counts_them():
    some = [effect(known(5.0, 0.1), 1.0, "p"), effect(known(0.0, 0.1), 1.0, "p")]
    (found,) = judge([some])
    assert found.word == PARTLY
    assert "1 of 2 reproduced (1 reproduced, 1 contradicted)" in found.why
    (none,) = judge([[effect(known(0.0, 0.1), 1.0, "p"), effect(known(0.5, 0.1), 1.0, "p")]])
    assert none.word == CANNOT_TELL
    (all_of_them,) = judge([[effect(known(0.0, 0.1), 1.0, "p")] * 2])
    assert all_of_them.word == CONTRADICTED


def test_what_did_not_move_at_all_cannot_tell():
    (found,) = judge([[effect(stats.mean_and_interval([0.0, 0.0, 0.0]), 1.0, "published")]])
    assert found.word == CANNOT_TELL
    assert "nothing moved" in found.why
    (same,) = judge([[effect(stats.mean_and_interval([0.5, 0.5, 0.5]), 1.0, "published")]])
    assert same.word == SMALLER


def test_a_run_that_diverged_is_not_testable():
    (found,) = judge([[effect(stats.mean_and_interval([0.5, NAN]), 1.0, "published")]])
    assert (found.word, found.why) == (NOT_TESTABLE, "a value is not finite")


def test_a_verdict_that_flips_with_the_seed_of_the_bootstrap_cannot_tell():
    draws = np.stack([np.linspace(0.01, 2, 1001), np.linspace(-0.3, 2, 1001)])  # 0 is excluded by one of two
    found = stats.bootstrapped(1.0, draws, 200, "texts")
    (verdict,) = judge([[effect(found, 1.0, "published")]])
    assert verdict.word == CANNOT_TELL
    assert "changes with the seed of the bootstrap (reproduced or cannot tell)" in verdict.why
    firm = stats.bootstrapped(1.0, np.stack([draws[0], draws[0]]), 200, "texts")
    assert judge([[effect(firm, 1.0, "published")]])[0].word == REPRODUCED


# --- calibration ------------------------------------------------------------------------------------------------------


def pages(truth, smallest, n=400, claims=4, seeds=5):
    """Words of the pages of many worlds: each claim from so many seeds with a spread of 1 around a true effect."""
    rng = np.random.default_rng(0)
    samples = rng.normal(truth, 1, (n, claims, seeds))
    ask = lambda values: [effect(stats.mean_and_interval(values), smallest, "published")]
    return [[found.word for found in judge([ask(values) for values in page])] for page in samples]


def test_where_nothing_is_true_one_page_in_twenty_at_most_says_reproduced():
    found = pages(truth=0.0, smallest=1.0)
    assert np.mean([REPRODUCED in page or SMALLER in page for page in found]) <= 0.05


def test_where_nothing_is_true_a_design_with_power_contradicts():
    words = Counter(word for page in pages(0.0, smallest=5.0) for word in page)
    assert words[CONTRADICTED] / words.total() >= 0.95
    assert words[CANNOT_TELL] / words.total() <= 0.05


def test_where_the_published_effect_is_true_it_is_hardly_ever_contradicted():
    words = Counter(word for page in pages(truth=5.0, smallest=5.0) for word in page)
    assert words[REPRODUCED] / words.total() >= 0.9
    assert (words[CONTRADICTED] + words[SMALLER]) / words.total() <= 0.05


def test_a_design_without_power_cannot_tell():
    words = Counter(word for page in pages(truth=0.3, smallest=0.3) for word in page)
    assert words[CANNOT_TELL] / words.total() >= 0.9


def test_a_small_effect_that_is_true_is_smaller_than_published():
    words = Counter(word for page in pages(truth=5.0, smallest=20.0) for word in page)
    assert words[SMALLER] / words.total() >= 0.9


@pytest.mark.parametrize(("rule", "edge"), [(no_change, 1.0), (not_beyond, 1.0)])
def test_at_the_edge_of_its_margin_nothing_is_reproduced_more_often_than_chance_allows(rule, edge):
    samples = np.random.default_rng(1).normal(edge, 0.3, (600, 5))
    words = [judge([[rule(stats.mean_and_interval(values), edge, "stated")]])[0].word for values in samples]
    assert words.count(REPRODUCED) / len(words) <= 0.05
    assert words.count(CONTRADICTED) / len(words) <= 0.05


# --- what is not sampled ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("holds", "of", "word"), [(3, 3, REPRODUCED), (1, 3, PARTLY), (0, 3, CONTRADICTED)])
def test_exact_checks_are_counted(holds, of, word):
    assert verdicts.exact(holds, of, "cells") == (word, f"{holds} of {of} cells")


def test_nothing_checked_is_no_verdict():
    with pytest.raises(ValueError, match="Nothing was checked"):
        verdicts.exact(0, 0, "cells")
    with pytest.raises(ValueError, match="needs an item"):
        verdicts.each([])
    with pytest.raises(ValueError, match="Nothing was checked"):
        verdicts.within([], [], 0.1)


@pytest.mark.parametrize(
    ("here", "word", "why"),
    [
        ([0.5, 0.5], REPRODUCED, "2 of 2 within 0.125; largest difference 0"),
        ([0.625, 0.375], REPRODUCED, "largest difference 0.125"),
        ([0.5, 0.7], PARTLY, "1 of 2 within 0.125; largest difference 0.2"),
        ([0.3, 0.7], CONTRADICTED, "0 of 2"),
        ([0.5, NAN], NOT_TESTABLE, "not finite"),
    ],
)
def test_values_beside_their_targets(here, word, why):
    found = verdicts.within(here, [0.5, 0.5], 0.125)
    assert found.word == word
    assert why in found.why


def test_a_check_run_agrees_or_does_not():
    assert verdicts.all_or_none(["mu", "loss"], [True, True]).word == REPRODUCED
    assert verdicts.all_or_none(["mu", "loss"], [True, False]) == (CONTRADICTED, "beyond the tolerance: loss")


@pytest.mark.parametrize(
    ("interval", "word"),
    [
        (Interval(0.2, 0.4), REPRODUCED),
        (Interval(0.2, 0.42), REPRODUCED),  # touches the limit
        (Interval(0.2, 0.6), CANNOT_TELL),
        (Interval(0.5, 0.6), CONTRADICTED),
        (Interval(np.nan, np.nan), NOT_TESTABLE),
    ],
)
def test_a_spread_beside_its_limit(interval, word):
    found = verdicts.below(interval, 0.42, "GPT-2")
    assert found.word == word
    assert found.why.startswith("GPT-2: ")


def test_a_test_that_can_only_reject_never_reproduces():
    assert verdicts.rejected(0.049, "tasks are independent") == (CONTRADICTED, "p = 0.049 if tasks are independent")
    assert verdicts.rejected(0.05, "tasks are independent").word == CANNOT_TELL


def test_items_with_one_word_have_that_word():
    same = [Verdict(SMALLER, "a"), Verdict(SMALLER, "b")]
    assert verdicts.each(same) == (SMALLER, "a; b")
    assert verdicts.not_testable("no hub") == (NOT_TESTABLE, "no hub")
