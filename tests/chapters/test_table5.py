"""Differences over seeds against scipy and simulation, claims, and figures that show what the tables hold."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_runs import NO_CHECK, Known, by_seed, committed
from scipy import stats

from decondense.chapters import table5
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED
from decondense.stats import Interval


def made(values):
    """Runs with one quantity: a row of values a label, one a seed."""
    return by_seed(values, lambda value: {"value": float(value), "validation_loss": float(value)})


@pytest.fixture
def one_quantity(monkeypatch):
    monkeypatch.setattr(table5, "QUANTITIES", {"value": lambda run: run.value})


def test_comparisons_are_paired_by_seed(one_quantity):
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 5, 5)  # cancels where seeds are paired
    runs = {
        name: made({"train": seeds, "a": seeds + 0.3 + rng.normal(0, 0.1, 5), "b": seeds + rng.normal(0, 0.1, 5)})
        for name in ("GPT-2", "Qwen3")
    }
    found = table5.comparisons(runs)
    assert list(found.index) == [(m, c, "value") for m in runs for c in ("a", "b")]
    row = found.loc["Qwen3", "a", "value"]
    theirs, ours = ([run.value for run in runs["Qwen3"] if run.label == label] for label in ("train", "a"))
    expected = stats.ttest_rel(ours, theirs)
    assert row.difference == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert row.p == pytest.approx(expected.pvalue)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval()))
    least = found.p.min()
    assert found["p, Holm"].min() == pytest.approx(4 * least)
    assert (found["p, Holm"] >= found.p).all()
    assert table5.intervals(found, "a", "value") == [
        Interval(*found.loc[name, "a", "value"][["low", "high"]]) for name in runs
    ]
    assert table5.in_words(found, "a", "value").startswith(
        f"GPT-2 {found.loc['GPT-2', 'a', 'value'].difference:+.3f} ["
    )


def test_one_seed_and_equal_differences_take_no_part_in_the_correction(one_quantity):
    alone = table5.comparisons({"one": made({"train": [1.0], "a": [2.0]})}).iloc[0]
    assert alone.difference == 1
    assert alone[["low", "high", "p", "p, Holm", "detectable"]].isna().all()


def test_spread_is_pooled_over_the_conditions_of_the_paper():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        values = {"train": rng.normal(0, 2.0, 8), "dispersion": rng.normal(100, 2.0, 8)}
        runs = made(values | {"own": rng.normal(0, 50.0, 8)})  # not of Table 5
        value, (low, high) = table5.spread(runs, lambda run: run.value)
        assert value == pytest.approx(np.sqrt(np.mean([np.var(row, ddof=1) for row in values.values()])))
        assert low < value < high
        covered.append(low < 2.0 < high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_one_seed_has_no_spread():
    value, interval = table5.spread(made({"train": [1.0], "dispersion": [2.0]}), lambda run: run.value)
    assert np.isnan([value, *interval]).all()


def test_published_table():
    table = table5.published()
    assert table.difference["average"] == pytest.approx(1.17)
    tasks = table.drop(index="average")
    assert len(tasks) == 10
    assert tasks.mean().difference == pytest.approx(1.17, abs=0.01)
    assert table.index[0] == "anli_r2"


def test_the_gain_beside_the_error_of_its_items_is_that_of_the_table():
    table = table5.by_items()
    assert list(table.index) == ["Qwen3-0.6B"]
    assert table.gain.item() == pytest.approx(table5.published_gain())
    assert 0 < table.flips_196.item() < 1 < table.error.item()


def test_largest_spread_makes_the_gain_two_errors():
    spread = table5.largest_spread(1.17)
    draws = np.random.default_rng(0).normal(0, spread, (2, 200_000))
    assert (np.abs(draws[0] - draws[1]) > 1.17).mean() == pytest.approx(0.05, abs=0.002)


def test_average_over_tasks_then_items():
    items = pd.DataFrame({"task": ["a", "a", "a", "b"], "score": [1, 0, 0, 1], "logprob": [-1.0, -2.0, -3.0, -4.0]})
    run = SimpleNamespace(evaluation=SimpleNamespace(items=items))
    assert table5.average("score")(run) == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert table5.average("logprob")(run) == pytest.approx(-3)


def test_claims_of_the_paper_and_of_this_book(monkeypatch):
    index = pd.MultiIndex.from_product(
        [["GPT-2", "Qwen3"], ["dispersion", "more"], list(table5.QUANTITIES)],
        names=["model", "condition", "quantity"],
    )
    rows = pd.DataFrame({"difference": -2.0, "low": -3.0, "high": -1.0, "p": 0.01}, index=index)
    ours, more = table5.condition_claims(rows, "dispersion", 0.05), table5.condition_claims(rows, "more", 0.05)
    expected = [REPRODUCED, REPRODUCED, REPRODUCED, NOT_REPRODUCED]
    assert [claim.verdict.word for claim in ours] == [claim.verdict.word for claim in more] == expected
    assert ours[3].published == "+1.17, one run each"
    assert ours[3].source == "Table 5"
    assert {claim.source for claim in more} == {"this book"}
    assert "below 0" in ours[0].rule
    assert ours[1].rule.startswith("interval over seeds at most +0.050 nats, 1 % of the lowest validation loss")
    assert "below 0" in ours[2].rule
    assert "above 0" in ours[3].rule
    assert ours[3].here == "GPT-2 -2.000 [-3.000, -1.000]; Qwen3 -2.000 [-3.000, -1.000]"


CHANGES = {
    "train": {},
    "dispersion": {"loss": "dispersion", "weight": 0.1},
    "dispersion, weight 1": {"loss": "dispersion", "weight": 1.0},
}


def test_committed_runs_give_the_committed_verdicts():
    every, said, _ = committed("table5", CHANGES)
    kind = lambda run: run.record.content["config"]["shape"]["architecture"]
    names = {"GPT-2": "GPT2Config", "Qwen3": "Qwen3Config"}
    runs = {name: [run for run in every if kind(run) == architecture] for name, architecture in names.items()}
    found = table5.claims(table5.comparisons(runs), runs, NO_CHECK)
    assert [claim.as_dict() for claim in found][:9] == said[:9]
    table = table5.spread_table(runs).iloc[:, 0]
    assert [f"{name.removeprefix('here, ')} {table[name]}" for name in table.index[2:]] == said[8]["here"][7:].split(
        "; "
    )
    assert table["allowed"] in said[8]["why"]


# --- figures ----------------------------------------------------------------------------------------------------------

STEPS = [0, 1, 10, 100]


def followed(seeds=3):
    rng = np.random.default_rng(0)
    path = lambda: pd.DataFrame({"step": STEPS, "validation_loss": rng.normal(size=4), "rho": rng.normal(size=4)})
    labels = ("train", "dispersion")
    return {
        name: [Known(label, seed, path=path()) for label in labels for seed in range(seeds)]
        for name in ("GPT-2", "Qwen3")
    }


def test_along_shows_means_and_ranges_by_model_and_quantity():
    runs = followed()
    figure = table5.along(runs, {"validation_loss": "validation loss", "rho": "ρ"})
    axes = np.reshape(figure.axes, (2, 2))
    assert [axis.get_title() for axis in axes[0]] == ["GPT-2", "Qwen3"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["validation loss", "ρ"]
    paths = np.array([run.path["rho"] for run in runs["Qwen3"] if run.label == "dispersion"])
    line, band = axes[1, 1].lines[1], axes[1, 1].collections[1]
    np.testing.assert_allclose(line.get_ydata(), paths.mean(0))
    assert line.get_xdata().tolist() == [0.5, 1, 10, 100]
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((paths.min(), paths.max()))
    assert [text.get_text() for text in axes[1, 1].get_xticklabels()] == ["0", "1", "10", "100"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "dispersion"]


def test_one_model_and_one_quantity():
    runs = followed(seeds=1)
    figure = table5.along({"GPT-2": runs["GPT-2"]}, {"rho": "ρ"})
    assert len(figure.axes) == 1


def test_the_published_gain_is_beside_the_condition_of_the_paper():
    index = pd.MultiIndex.from_product([["GPT-2", "Qwen3"], ["dispersion", "more"], ["acc (%)", "ρ"]])
    index.names = ["model", "condition", "quantity"]
    table = pd.DataFrame({"difference": np.arange(8.0), "low": -1.0, "high": 9.0}, index=index)
    (axis,) = table5.gains(table).axes
    here, published = axis.lines[:2]
    assert list(here.get_xdata()) == [0, 2, 4, 6]
    np.testing.assert_allclose(published.get_xdata(), [1.17, np.nan, 1.17, np.nan])
