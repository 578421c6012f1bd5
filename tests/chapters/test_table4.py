"""Table 4: settings by name and in order, and whether they differ."""

import pandas as pd
import pytest
from made_runs import by_seed, committed, scored

from decondense.chapters import table4
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED

WEIGHTS, TEMPERATURES = [1.0, 0.01], [0.5, 2.0, 1.0]
CHANGES = table4.changes(WEIGHTS, TEMPERATURES)


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


def made(changes=CHANGES, **shares):
    """Two seeds of each setting, half of the items right where nothing else is said."""
    return by_seed({label: [shares.get(label, 0.5)] * 2 for label in changes}, scored)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"default": 0.2, table4.CHOSEN: 0.9}, [REPRODUCED, REPRODUCED]),
        ({"default": 0.2, table4.CHOSEN: 0.9, "λ 1, τ 1": 0.9}, [REPRODUCED, PARTLY]),
        ({"default": 0.9, table4.CHOSEN: 0.2}, [CONTRADICTED, CONTRADICTED]),
        ({}, [CANNOT_TELL, CANNOT_TELL]),  # no item differs: these runs cannot show it
    ],
)
def test_verdicts(shares, expected):
    assert [claim.verdict.word for claim in table4.claims(made(**shares))] == expected


def test_each_setting_is_asked_for_its_published_gain():
    there, claims = table4.published(), table4.claims(made(default=0.2))
    for label in ("λ 0.1, τ 1", "λ 1, τ 1", "λ 0.01, τ 1", "λ 0.1, τ 0.5", "λ 0.1, τ 2"):
        assert f"{label} {there[label] - table4.published_default():+.2f}" in claims[0].published
        assert f"{label} +30.00 [" in claims[0].here


def test_a_setting_that_the_paper_does_not_have_takes_no_part():
    more = table4.changes([1.0, 3.0], [1.0])
    assert "λ 3" not in table4.claims(made(more))[0].here
    assert "λ 1, τ 1" in table4.claims(made(more))[0].here


def test_committed_runs_give_the_committed_verdicts():
    runs, said, _ = committed("table4", table4.changes([0.01, 0.1, 0.5, 1.0], [0.1, 0.5, 1.0, 2.0]))
    assert [claim.as_dict() for claim in table4.claims(runs)] == said
