"""What a run is trained on is found by its name; sums have none."""

import pytest

from decondense.chapters.posttraining import arithmetic, grade_school, problems

SUMS = {"largest": 6, "problems": 36, "held_out": 10}


def test_sums_are_the_default_and_a_set_has_its_name():
    assert problems.maker(SUMS) is arithmetic
    assert problems.maker({"name": "openai/gsm8k"}) is grade_school


@pytest.mark.parametrize("name", ["gsm8k", "openai/gms8k", "OpenAI/GSM8K"])
def test_another_name_is_refused_with_the_nearest(name):
    with pytest.raises(ValueError, match=r"Unknown data set .*Did you mean 'openai/gsm8k'"):
        problems.maker({"name": name})


def test_what_is_held_out_is_the_same_and_not_trained_on():
    kept_out = problems.held_out(SUMS, [])
    assert kept_out == arithmetic.sums(10, 6, problems.HELD_OUT_SEED)
    rows = problems.training(SUMS, 0, [], kept_out)
    assert len(rows) == 26
    assert not set(rows) & set(kept_out)
    assert arithmetic.about([]) == {}
