"""Table 2: the printed averages and hours, and what two conditions differ by on the same items."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import by_length, by_seed, committed, scored

from decondense import records
from decondense.chapters import table2
from decondense.paper import accuracies
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.records import Record
from decondense.runs import MidTraining
from decondense.runs.midtraining import CONDITIONS

MADE = {"record": Record(Path("none"), {"config": {"model": "made-up", "steps": 7}}, None)}


def runs(flips=0, **shares):
    """Two seeds of each condition, half of the items right where nothing else is said; the second one so much fewer."""
    seeds = {name: [shares.get(name, 0.5), shares.get(name, 0.5) - flips] for name in CONDITIONS}
    return by_seed(seeds, lambda share: scored(share) | MADE)


def words(claims):
    return [claim.verdict.word for claim in claims]


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
        ({"dispersion": 0.9}, [REPRODUCED, REPRODUCED]),
        ({"dispersion": 0.9, "l2_repel": 0.9}, [REPRODUCED, PARTLY]),
        ({"dispersion": 0.1}, [CONTRADICTED, CONTRADICTED]),
        ({}, [CANNOT_TELL, CANNOT_TELL]),  # no item differs: that is no evidence against a gain
    ],
)
def test_verdicts(shares, expected):
    first, second = table2.on_accuracy("GPT2", runs(**shares))
    assert first.claim == "GPT2: dispersion is better than default training"
    assert words(table2.judged([first, second])) == expected


def test_the_smallest_effects_are_the_published_gaps():
    gaps = table2.published_gaps("Qwen3-0.6B")
    first, second = table2.on_accuracy("Qwen3-0.6B", runs(dispersion=0.75))
    assert [test.number for test in first.verdict] == [pytest.approx(gaps["train"])]
    assert [test.number for test in second.verdict] == pytest.approx(gaps.drop("train").tolist())
    assert first.here.startswith("made-up, 7 steps: train +25.00 [")
    assert (first.verdict[0].estimate.unit, first.verdict[0].estimate.units) == ("seeds and items", 2)


def test_a_base_model_that_was_not_run_has_its_rows():
    claims = table2.claims({"GPT2": runs(dispersion=0.9)})
    assert len(claims) == 2 * len(accuracies.MID_TRAINED) + 2
    assert words(claims)[:3] == [REPRODUCED, REPRODUCED, NOT_TESTABLE]
    assert words(claims)[2:8] == [NOT_TESTABLE] * 6
    # three seeds of the seven trained conditions of GPT2-m: 3 x (2.541 + 3 x 2.58 ...) hours
    assert claims[2].verdict.why.endswith("the paper's 56 A100-hours for it")


def test_longer_runs_decide_on_default_training_and_on_nothing_else():
    shorter, longer = runs(dispersion=0.9), runs(dispersion=0.1)
    claims = table2.claims({"GPT2": shorter}, {"GPT2": longer, "GPT2-m": []})
    assert words(claims)[:3] == [CONTRADICTED, REPRODUCED, NOT_TESTABLE]
    likelier = claims[2 * len(accuracies.MID_TRAINED)]
    assert likelier.here.startswith("7 steps: -0.4000")
    assert table2.longer(MidTraining(model="pocket-small", corpus="documentation", steps=5)) == []


def test_log_probability_is_this_books_question_in_nats():
    claim = table2.on_log_probability(runs(dispersion=0.75, none=0.5))
    (test,) = claim.verdict
    assert claim.claim.startswith("made-up: dispersion")
    assert claim.here.startswith("7 steps: +0.2500 [")
    assert test.number == pytest.approx(0.01 * 1.5)  # the log-probability of `scored` is its score - 2


def test_finer_is_the_log_probability_against_default_training():
    table = table2.finer(runs(dispersion=0.75, none=0.25))
    assert list(table.index) == [name for name in CONDITIONS if name != "train"]
    np.testing.assert_allclose(table.difference[["dispersion", "none", "l2_repel"]], [0.25, -0.25, 0])
    assert table.low["dispersion"] < 0.25 < table.high["dispersion"]


def test_hours_and_what_they_are_more():
    hours = table2.published_hours()
    assert (list(hours.index), hours.shape) == (list(accuracies.MID_TRAINED), (4, 7))
    assert hours.loc["GPT2", "dispersion"] == 1.176
    assert table2.published_overhead().loc["GPT2", "dispersion"] == pytest.approx(100 * (1.176 / 1.122 - 1))


def test_the_time_here_is_that_of_the_newest_record(tmp_path, monkeypatch):
    def record(utc, plain):
        row = {"plain": [plain, 0], "256 tokens": [plain + 1, 0], "256 tokens, alone": [1.0, 0]}
        return Record(Path(utc), {"provenance": {"utc": utc}, "results": {"rows": [row]}}, None)

    kept = {"bench-step-a.json": record("2026-01-02", 4.0), "bench-step-b.json": record("2026-01-01", 9.0)}
    for name in kept:
        (tmp_path / name).touch()
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path)
    monkeypatch.setattr(records, "read", lambda path: kept[path.name])
    step, alone = table2.measured_overhead()
    assert (step.median, alone.median) == (1.25, 0.25)
    for name in kept:
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match="nox -s bench"):
        table2.measured_overhead()


def test_time_on_another_machine_is_not_testable():
    claim = table2.on_time()
    assert claim.verdict.word == NOT_TESTABLE
    assert "GPT2 +4.81" in claim.published


def test_committed_runs_give_the_committed_verdicts():
    every, said, _ = committed("table2", CONDITIONS)
    made, longer = by_length(every)
    longer = [run for run in longer if run.label in table2.ARMS]
    assert [claim.as_dict() for claim in table2.claims({"GPT2": made}, {"GPT2": longer})] == said
