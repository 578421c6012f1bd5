"""Table 4: settings by name and in order, and whether they differ."""

import pandas as pd
import pytest
from made_runs import by_seed, committed, scored

from decondense.chapters import table4
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.runs import tables

WEIGHTS, TEMPERATURES = [1.0, 0.01], [0.5, 2.0, 1.0]
CHANGES = table4.changes(WEIGHTS, TEMPERATURES)


def claims(runs):
    others = [label for label in tables.first(runs) if label != table4.CHOSEN]
    return table4.claims(runs, tables.against(runs, table4.CHOSEN, others))


def test_one_setting_is_changed_at_a_time():
    assert list(CHANGES) == ["default", "λ 0.1, τ 1", "λ 1, τ 1", "λ 0.01, τ 1", "λ 0.1, τ 0.5", "λ 0.1, τ 2"]
    assert CHANGES["λ 0.1, τ 1"] == {"loss": "dispersion"}
    assert CHANGES["λ 0.01, τ 1"] == {"loss": "dispersion", "weight": 0.01}
    assert CHANGES["λ 0.1, τ 2"] == {"loss": "dispersion", "temperature": 2.0}


def test_rows_are_in_the_order_of_the_dose():
    table = pd.DataFrame({0: range(len(CHANGES))}, index=list(CHANGES))
    assert list(table4.by_weight(table, WEIGHTS).index) == ["default", "λ 0.01, τ 1", "λ 0.1, τ 1", "λ 1, τ 1"]
    assert list(table4.by_temperature(table, TEMPERATURES).index) == ["λ 0.1, τ 0.5", "λ 0.1, τ 1", "λ 0.1, τ 2"]


def test_published_is_the_table():
    there = table4.published()
    assert there.idxmax() == table4.CHOSEN
    assert there[table4.CHOSEN] - table4.published_default() == pytest.approx(0.66)


@pytest.mark.parametrize(
    ("default", "chosen", "expected"),
    [
        (0.2, 0.9, [REPRODUCED, REPRODUCED]),
        (0.2, 0.525, [REPRODUCED, PARTLY]),
        (0.9, 0.2, [NOT_REPRODUCED, NOT_REPRODUCED]),
        (0.5, 0.5, [NOT_TESTABLE, NOT_TESTABLE]),
    ],
)
def test_verdicts(default, chosen, expected):
    shares = dict.fromkeys(CHANGES, 0.5) | {"default": default, table4.CHOSEN: chosen}
    runs = by_seed({label: [share, share] for label, share in shares.items()}, scored)
    assert [claim.verdict.word for claim in claims(runs)] == expected


def test_committed_runs_give_the_committed_verdicts():
    runs, said, _ = committed("table4", table4.changes([0.01, 0.1, 0.5, 1.0], [0.1, 0.5, 1.0, 2.0]))
    assert [claim.as_dict() for claim in claims(runs)] == said
