"""The published accuracies in one form, and the errors of their averages: by hand and against each other."""

import numpy as np
import pytest

from decondense import stats
from decondense.paper import accuracies


def test_wide_has_a_row_for_each_row_of_the_paper():
    means = accuracies.wide()
    assert means.index.get_level_values("table").value_counts().to_dict() == {"Table 2": 37, "Table 3": 2, "Table 5": 2}
    assert means.loc[("Table 2", "GPT2", "train"), "piqa"] == 62.2
    assert accuracies.wide("std", "Table 3").loc[("Table 3", "GPT2", "second_half"), "average"] == 0.06
    assert len(accuracies.mid_trained()) == 4 * 8
    with pytest.raises(ValueError, match=r"Unknown table of accuracies 'Table 4'\. Did you mean 'Table [235]'"):
        accuracies.wide(table="Table 4")


def test_items_are_those_of_the_limit_and_mmlu_takes_it_per_subject():
    assert [accuracies.limit(m) for m in ("GPT2-xl", "Qwen3-14B")] == [500, 200]
    assert accuracies.items("GPT2").tolist() == [500] * 9 + [12_173]
    assert accuracies.items("Qwen3-1.7B").tolist() == [200] * 9 + [9_183]
    assert all(n <= 57 * limit for limit, n in accuracies.MMLU_ITEMS.items())


@pytest.mark.parametrize("model", accuracies.MID_TRAINED)
def test_equivalent_items_give_the_same_paired_error(model):
    n, flips = accuracies.items(model), 0.1
    error = np.sqrt((flips / n).sum()) / len(n)
    assert np.sqrt(flips / (10 * accuracies.equivalent_items(model))) == pytest.approx(error, rel=1e-3)


def test_gain_of_average_reports_what_the_tables_do():
    found = accuracies.gain_of_average().set_index(["table", "model", "against"])
    assert len(found) == 10
    row = found.loc[("Table 5", "Qwen3-0.6B", "train")]
    assert row.gain == pytest.approx(1.17)
    items = 10 * accuracies.equivalent_items("Qwen3-0.6B")
    assert 1.96 * np.sqrt(row.flips_196 / items) == pytest.approx(0.0117)
    assert stats.mcnemar_power(0.0117, items // 10, 10, row.flips_power) == pytest.approx(0.8)
    rows = [("Table 5", "Qwen3-0.6B", condition) for condition in ("dispersion", "train")]
    tasks = accuracies.wide().loc[rows, list(accuracies.TASKS)]
    gain = tasks.iloc[0] - tasks.iloc[1]
    assert (row.low, row.high) == pytest.approx((gain.drop("truthfulqa").mean(), gain.drop("winogrande").mean()))
    share = tasks.mean() / 100
    unpaired = np.sqrt(2 * (share * (1 - share) / accuracies.items("Qwen3")).sum()) / 10
    assert row.error == pytest.approx(100 * unpaired)


def test_flips_for_power_at_the_ends():
    assert accuracies.flips_for_power(0.2, 500) == 1.0
    assert np.isnan(accuracies.flips_for_power(1e-5, 500))  # so few flips that none may be
