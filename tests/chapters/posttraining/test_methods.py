"""What the trainers of TRL are given: columns, and settings under which each step reads as many rows."""

import pytest

from decondense.chapters.posttraining import methods
from decondense.chapters.posttraining.arithmetic import Sum

ROW = Sum("1 + 1 =", " 2", " 3", 2)
HOW = {"batch_size": 8, "completions": 4, "new_tokens": 3, "beta": 0.1}


def test_each_method_reads_its_own_part_of_a_row():
    columns = {method: methods._columns(method, [ROW]) for method in methods.METHODS}
    assert columns == {
        "sft": [{"prompt": "1 + 1 =", "completion": " 2"}],
        "dpo": [{"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"}],
        "grpo": [{"prompt": "1 + 1 =", "answer": 2}],
    }


@pytest.mark.parametrize(("method", "rows"), [("sft", 8), ("dpo", 4), ("grpo", 8)])
def test_a_pair_counts_as_two_rows(method, rows):
    assert methods._own(method, HOW)["per_device_train_batch_size"] == rows


def test_grpo_has_no_penalty_and_groups_of_completions():
    own = methods._own("grpo", HOW)
    assert (own["beta"], own["num_generations"], own["max_completion_length"]) == (0.0, 4, 3)
