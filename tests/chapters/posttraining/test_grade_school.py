"""Problems of school: which number an answer gives, what is drawn, and where the rows are from."""

import json

import datasets
import pytest

from decondense.base import hub
from decondense.chapters.posttraining import arithmetic, grade_school
from decondense.chapters.posttraining.arithmetic import A_NUMBER

COMMIT = "c" * 40
SOLVED = "Ann has 1,200 + 34 = <<1200+34=1234>>1234 pens.\n#### 1,234"


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Thirty problems to train on and ten others, as the authors' files have them."""
    (tmp_path / "gsm8k").mkdir()
    for split, numbers in {"train": range(30), "test": range(30, 40)}.items():
        solved = {n: f"{n} + 5 is <<{n}+5={n + 5}>>{n + 5}.\n#### {n + 5}" for n in numbers}
        rows = [{"question": f"{n} and 5{' pens' * (n == 7)}?", "answer": solution} for n, solution in solved.items()]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    grade_school.read.cache_clear()
    yield tmp_path
    grade_school.read.cache_clear()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so it is 3.\n#### 12", 12), ("#### 12\n\nProblem: 7\n#### 9", 12), ("####12", 12),
        ("#### $1,234,567.", 1234567),
        ("#### -5", -5), ("#### −5", -5), ("#### -$5", -5), ("#### +5", 5), ("it is 8\n####", 8),
        ("#### none, 3 or", 3),
        ("first 3, then 42", 42), ("it is 42.", 42), ("12 - 5", 5), ("12-5", 5), ("(2)-3", 3), ("x = -7 only", -7),
        ("half is 2.5 in all", 2.5), ("1,2", 2), ("1,23456", 23456), ("1,234,5", 5), ("3/4", 4), ("7 apples each", 7),
        ("none", None), ("", None), ("####", None), ("-", None), ("9" * 6000, float("inf")),
    ],
)  # fmt: skip
def test_the_number_of_an_answer(text, found):
    assert grade_school.number(text) == found


@pytest.mark.parametrize(
    ("completion", "value"),
    [
        (" 600 + 634\n#### 1234", 1.0), ("#### 1,234.0", 1.0), ("it is 1,234", 1.0), ("1234, or 7", A_NUMBER),
        ("#### -1234", A_NUMBER), ("#### 1,23", A_NUMBER), ("no idea", 0.0),
    ],
)  # fmt: skip
def test_the_reward_is_for_the_final_number(completion, value):
    assert grade_school.reward(completion, 1234) == value
    assert grade_school.rewards([completion, "x"], answer=[1234, 1], prompts=None) == [value, 0.0]


def test_a_row_has_the_same_steps_and_another_number():
    made = grade_school.row(" How many? ", SOLVED, -3)
    assert made.prompt == f"{grade_school.ASKED}How many?\nSolution:"
    assert made.chosen == " Ann has 1,200 + 34 = 1234 pens.\n#### 1234"
    assert made.rejected == " Ann has 1,200 + 34 = 1234 pens.\n#### 1231"
    assert made.answer == 1234
    assert grade_school.row("?", SOLVED, 0).rejected == made.chosen
    assert [grade_school.reward(text, made.answer) for text in made[1:3]] == [1.0, A_NUMBER]


@pytest.mark.parametrize("solution", ["It is 3.", "It is\n####", "#### 2.5"])
def test_a_solution_without_a_whole_number_at_its_end_is_refused(solution):
    with pytest.raises(ValueError, match="does not end in #### and a whole number"):
        grade_school.row("?", solution, 1)


@pytest.mark.usefixtures("local")
def test_problems_are_drawn_from_their_splits_the_same_for_the_same_seed():
    data = {"name": grade_school.NAME, "problems": 25, "held_out": 10}
    rows = grade_school.training(data, 3, ["local"])
    assert rows == grade_school.training(data, 3, ["local"]) != grade_school.training(data, 4, ["local"])
    assert len({row.prompt for row in rows}) == 25
    assert {row.answer for row in grade_school.held_out(data, 0, ["local"])} == set(range(35, 45))
    assert max(row.answer for row in rows) < 35
    assert grade_school.about(["local"]) == {
        "data": {"name": "openai/gsm8k", "source": "local file gsm8k/train.jsonl; local file gsm8k/test.jsonl"}
    }


@pytest.mark.usefixtures("local")
def test_equal_answers_and_long_problems_are_counted_and_left_out():
    rows = grade_school.drawn("train", 30, 0, ["local"])
    equal = sum(row.chosen == row.rejected for row in rows)
    assert equal
    long = max(rows, key=lambda row: len(row.prompt))
    most = len(long.prompt) + len(long.chosen)
    with pytest.warns(UserWarning, match=r"1 \(prompt too long\), \d+ \(equal answers\)"):
        kept, left_out = arithmetic.usable(rows, len, most, 5)
    assert left_out == {"prompt too long": 1, "equal answers": equal - (long.chosen == long.rejected)}
    assert len(kept) == 30 - sum(left_out.values())


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("n", [0, 11])
def test_more_problems_than_there_are_are_refused(n):
    with pytest.raises(ValueError, match="split test of openai/gsm8k has 10 problems"):
        grade_school.drawn("test", n, 0, ["local"])


def test_a_damaged_file_and_a_missing_set_have_a_cure_in_one_line(local, monkeypatch):
    (local / "gsm8k" / "train.jsonl").write_text('{"question": "1?"}\n')
    with pytest.raises(FileNotFoundError, match=r"local: gsm8k/train.jsonl is damaged, copy it again"):
        grade_school.read("train", ("local",))
    monkeypatch.delenv("DECONDENSE_DATA")
    with pytest.raises(FileNotFoundError, match=r"Tried local: DECONDENSE_DATA has no gsm8k/test.jsonl\. Allow .* hub"):
        grade_school.read("test", ("local", "pypi"))


@pytest.mark.usefixtures("local")
def test_rows_of_the_hub_are_of_the_main_configuration_and_name_their_commit(monkeypatch):
    asked = []

    def rows(*of_it):
        asked.append(of_it)
        return datasets.Dataset.from_dict({"question": ["1?"], "answer": ["#### 1"]}), COMMIT

    monkeypatch.setattr(hub, "rows", rows)
    assert grade_school.read("test", ("hub",)) == ([("1?", "#### 1")], f"hub openai/gsm8k (test) at {COMMIT}")
    assert asked == [("openai/gsm8k", "main", "test")]
    monkeypatch.setattr(hub, "rows", lambda *_: pytest.fail("it is here"))
    assert grade_school.read("train", ("local", "hub"))[1] == "local file gsm8k/train.jsonl"


def test_a_hub_that_cannot_be_reached_may_pass(local, monkeypatch):
    def rows(*_):
        raise ConnectionError("no network")

    monkeypatch.setattr(hub, "rows", rows)
    with pytest.raises(ConnectionError, match="hub: no network"):
        grade_school.read("test", ("hub",))
