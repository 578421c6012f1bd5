"""Sums and their rewards: what is drawn, what is right, what cannot be trained on."""

import warnings

import pytest

from decondense.chapters.posttraining import arithmetic
from decondense.chapters.posttraining.arithmetic import A_NUMBER, Sum


def test_sums_are_different_right_and_the_same_for_the_same_seed():
    drawn = arithmetic.sums(50, 9, seed=3)
    assert drawn == arithmetic.sums(50, 9, seed=3)
    assert drawn != arithmetic.sums(50, 9, seed=4)
    assert len({row.prompt for row in drawn}) == 50
    for row in drawn:
        left, right = row.prompt.removeprefix(arithmetic.EXAMPLE).removesuffix(" =").split(" + ")
        assert 1 <= int(left) <= 9
        assert 1 <= int(right) <= 9
        assert row.answer == int(left) + int(right) == int(row.chosen)


def test_wrong_answers_are_near_and_one_in_seven_is_no_wrong_one():
    drawn = arithmetic.sums(2000, 60, seed=0)
    off = [int(row.rejected) - row.answer for row in drawn if row.answer > arithmetic.OFF_BY]
    assert set(off) == set(range(-3, 4))
    assert off.count(0) / len(off) == pytest.approx(1 / 7, abs=0.03)
    assert all(int(row.rejected) >= 0 for row in drawn)


@pytest.mark.parametrize("n", [0, 82])
def test_more_sums_than_there_are_are_refused(n):
    with pytest.raises(ValueError, match=r"from 1 to 9 make 81 sums"):
        arithmetic.sums(n, 9, 0)


def test_what_is_held_out_is_not_trained_on():
    held_out = arithmetic.sums(20, 6, seed=1)
    kept = arithmetic.apart(arithmetic.sums(36, 6, seed=2), held_out)
    assert len(kept) == 16
    assert not {row.prompt for row in kept} & {row.prompt for row in held_out}


@pytest.mark.parametrize(
    ("completion", "value"),
    [
        (" 12", 1.0), ("12\n13", 1.0), (" 12.", 1.0), (" 13", A_NUMBER), (" 120", A_NUMBER), (" 012", 1.0), ("", 0.0),
        (" twelve", 0.0), (" = 12", 0.0), (" " + "9" * 6000, A_NUMBER), ("-12", 0.0),
    ],
)  # fmt: skip
def test_the_reward_is_for_the_first_number(completion, value):
    assert arithmetic.reward(completion, 12) == value


def test_rewards_go_answer_by_answer_whatever_else_the_trainer_gives():
    found = arithmetic.rewards([" 3", " 4", "x"], answer=[3, 3, 3], prompts=["1 + 2 ="] * 3, trainer_state=None)
    assert found == [1.0, A_NUMBER, 0.0]


@pytest.mark.parametrize("values", [[0.0] * 5, [1.0], []])
def test_a_constant_reward_is_said_at_once(values):
    with pytest.raises(ValueError, match="GRPO has no gradient"):
        arithmetic.refuse_constant(values)
    arithmetic.refuse_constant([0.0, 1.0])


ROWS = [Sum("1 + 1 =", " 2", " 3", 2), Sum("2 + 2 =", " 4", " 4", 4), Sum("1 + 1 + 1 + 1 =", " 4", " 5", 4)]


def test_long_prompts_and_equal_answers_are_counted_and_left_out():
    with pytest.warns(UserWarning, match=r"left out: 1 \(prompt too long\), 1 \(equal answers\)"):
        kept, left_out = arithmetic.usable(ROWS, len, positions=12, new_tokens=4)
    assert kept == ROWS[:1]
    assert left_out == {"prompt too long": 1, "equal answers": 1}


def test_where_nothing_is_left_out_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept, left_out = arithmetic.usable(ROWS[:1], len, positions=12, new_tokens=4)
    assert kept == ROWS[:1]
    assert left_out == {"prompt too long": 0, "equal answers": 0}


def test_rows_of_which_none_can_be_used_are_refused():
    with pytest.raises(ValueError, match=r"Of 2 rows none .* 1 \(prompt too long\), 1 \(equal answers\): ask for more"):
        arithmetic.usable(ROWS[1:], len, positions=12, new_tokens=4)


def test_an_answer_that_is_longer_than_the_room_is_too_long_as_well():
    solved = Sum("1 + 1 =", " I count one, two", " I count one", 2)
    for row in (solved, Sum(solved.prompt, solved.rejected, solved.chosen, 2)):
        assert arithmetic.fits(row, len, positions=25, new_tokens=4)
        assert not arithmetic.fits(row, len, positions=24, new_tokens=4)
    assert arithmetic.fits(ROWS[0], len, positions=11, new_tokens=4)
    assert not arithmetic.fits(ROWS[0], len, positions=10, new_tokens=4)


def test_held_out_problems_that_do_not_fit_are_refused():
    arithmetic.refuse_too_long(ROWS[:2], len, 11, 4)
    with pytest.raises(ValueError, match="1 of 3 held-out problems do not fit into the model's 12 positions"):
        arithmetic.refuse_too_long(ROWS, len, 12, 4)
