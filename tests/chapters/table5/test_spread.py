"""The spread from run to run against simulation, and the claim on it."""

import numpy as np
import pytest
from made_runs import by_seed, scored

from decondense.chapters.table5 import published, spread
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, REPRODUCED


def made(values):
    return by_seed(values, lambda value: {"value": float(value)})


def test_spread_is_pooled_over_the_conditions_of_the_paper():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        values = {"train": rng.normal(0, 2.0, 8), "dispersion": rng.normal(100, 2.0, 8)}
        runs = made(values | {"own": rng.normal(0, 50.0, 8)})  # not of Table 5
        value, (low, high) = spread.spread(runs, lambda run: run.value)
        assert value == pytest.approx(np.sqrt(np.mean([np.var(row, ddof=1) for row in values.values()])))
        assert low < value < high
        covered.append(low < 2.0 < high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_one_seed_has_no_spread():
    value, interval = spread.spread(made({"train": [1.0], "dispersion": [2.0]}), lambda run: run.value)
    assert np.isnan([value, *interval]).all()


def test_largest_spread_makes_the_gain_two_errors():
    allowed = spread.largest_spread(1.17)
    draws = np.random.default_rng(0).normal(0, allowed, (2, 200_000))
    assert (np.abs(draws[0] - draws[1]) > 1.17).mean() == pytest.approx(0.05, abs=0.002)


def answered(*shares):
    return {"GPT-2": by_seed({"train": shares, "dispersion": shares}, lambda share: scored(share, 400))}


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ([0.5, 0.5, 0.5025, 0.5, 0.5], REPRODUCED),  # a quarter of a point
        ([0.5, 0.505, 0.51, 0.5, 0.505], CANNOT_TELL),
        ([0.5, 0.6, 0.4, 0.5, 0.7], CONTRADICTED),
        ([0.5], NOT_TESTABLE),
    ],
)
def test_the_gain_beside_the_spread_here(shares, word):
    claim = spread.by_chance(answered(*shares))
    assert claim.verdict.word == word
    assert "below 0.42 points" in claim.rule
    assert claim.published == "+1.17, one run each"


def test_the_table_has_what_is_allowed_what_is_printed_and_what_is_here():
    table = spread.spread_table(answered(0.5, 0.6, 0.5)).iloc[:, 0]
    assert list(table.index) == ["allowed", "Table 2, Qwen3-0.6B", "here, GPT-2"]
    assert table["allowed"] == f"{spread.largest_spread(published.published_gain()):.2f}" == "0.42"
    assert table["here, GPT-2"].startswith("5.77 [")
