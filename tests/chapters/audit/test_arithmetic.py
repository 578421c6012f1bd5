"""Hours and batches: by hand, and with a table that was changed."""

import pytest

from decondense import paper
from decondense.chapters.audit import arithmetic
from decondense.paper.rounding import CONSISTENT, INCONSISTENT


def test_time_ratios_are_those_of_the_hours():
    found = arithmetic.time_ratios()
    assert len(found) == 28
    assert set(found.outcome) == {CONSISTENT}
    assert found.loc[("GPT2", "dispersion"), "ratio"] == pytest.approx(1.176 / 1.122)
    assert found.loc[("GPT2-m", "noisy_embedding"), "ratio"] > 1.015  # printed 1.01: only the hours' rounding allows it


def test_a_ratio_that_does_not_fit_is_found(monkeypatch):
    table = paper.table("table2_midtraining")
    table.loc[(table.model == "GPT2") & (table.condition == "dispersion"), "time_ratio"] = 1.06
    monkeypatch.setattr(paper, "table", lambda name: table)
    assert arithmetic.time_ratios().loc[("GPT2", "dispersion"), "outcome"] == INCONSISTENT


def test_batches_are_products_and_give_the_steps():
    found = arithmetic.batches()
    assert (found.sequences == found["of its factors"]).all()
    assert (found.tokens == found["by context"]).all()
    assert found.loc["gpt2_midtraining", "steps"] == pytest.approx(2e8 / (32 * 4 * 1024))
    assert len(found) == 6
