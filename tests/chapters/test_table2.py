"""Table 2: the printed averages, and what two conditions differ by on the same items."""

import numpy as np
import pytest
from made_runs import by_seed, committed, scored

from decondense import stats
from decondense.chapters import table2
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.runs import tables
from decondense.runs.midtraining import CONDITIONS


def runs(**shares):
    """Two seeds of each condition, half of the items right where nothing else is said."""
    return by_seed({name: [shares.get(name, 0.5)] * 2 for name in CONDITIONS}, scored)


def claims(made):
    return table2.claims(tables.accuracy(made), tables.against(made, "dispersion", table2.OTHERS), "GPT2")


def test_published_is_the_table():
    table = table2.published("GPT2")
    assert list(table.index) == list(CONDITIONS)
    assert table.average["dispersion"] == 35.61
    gaps = table2.published_gaps("GPT2")
    assert list(gaps.index) == table2.OTHERS
    assert gaps["train"] == pytest.approx(0.66)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"dispersion": 0.9, **dict.fromkeys(table2.ADDITIONS[:-1], 0.7)}, [REPRODUCED] * 3),
        ({"dispersion": 0.9, "l2_repel": 0.875}, [PARTLY, REPRODUCED, NOT_REPRODUCED]),
        ({"dispersion": 0.9, "l2_repel": 0.95}, [NOT_REPRODUCED, REPRODUCED, NOT_REPRODUCED]),
        ({}, [NOT_TESTABLE, NOT_REPRODUCED, NOT_REPRODUCED]),
    ],
)
def test_verdicts(shares, expected):
    assert [claim.verdict.word for claim in claims(runs(**shares))] == expected


def test_finer_is_the_log_probability_against_default_training():
    table = table2.finer(runs(dispersion=0.75, none=0.25))
    assert list(table.index) == [name for name in CONDITIONS if name != "train"]
    np.testing.assert_allclose(table.difference[["dispersion", "none", "l2_repel"]], [0.25, -0.25, 0])
    assert table.low["dispersion"] < 0.25 < table.high["dispersion"]


def test_detectable_is_that_of_tasks_of_equal_size():
    points, items = table2.detectable(runs(), 0.25)
    assert items == 80
    assert points == pytest.approx(100 * stats.detectable_accuracy(40, 2, 0.25))
    assert np.isnan(table2.detectable(runs(), 0.0)[0])  # one flip is not enough to find anything


def test_committed_runs_give_the_committed_verdicts():
    made, said, _ = committed("table2", CONDITIONS)
    assert [claim.as_dict() for claim in claims(made)] == said
