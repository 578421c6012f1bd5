"""The time of a step with a loss over that of plain training."""

from pathlib import Path

import pytest

from decondense.chapters.anticollapse import costs
from decondense.records import Record
from decondense.runs import PreTraining

SHAPE = {"architecture": "GPT2Config", "n_embd": 8, "n_layer": 2, "n_head": 2}


def test_ratios_are_of_the_fastest_rounds_so_that_other_work_does_not_matter():
    rows = [{"train": (1.0, None), "a": (3.5, None)}, {"train": (4.0, None), "a": (12.0, None)}]
    rows += [{"train": (2.0, None), "a": (3.0, None)}]
    found = costs.ratios(Record(Path("none"), {"results": {"rows": rows}}, None), "train")
    assert found.to_dict() == {"train": 1.0, "a": 3.0}


@pytest.mark.filterwarnings("ignore:.*loss_type")
def test_every_condition_is_timed_in_each_round(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    shared = PreTraining(
        experiment="toy", shape=SHAPE, corpus="documentation", steps=2, length=8, text_length=8, checkpoints=1
    )
    views = {"loss": "info_nce", "shape": {"resid_pdrop": 0.1, "embd_pdrop": 0.1}}
    record = costs.measured(shared, {"train": {}, "koleo": {"loss": "koleo"}, "info_nce": views}, rounds=2)
    rows = record.content["results"]["rows"]
    assert [set(row) for row in rows] == [{"train", "koleo", "info_nce"}] * 2
    assert all(seconds > 0 for row in rows for seconds, _ in row.values())
    assert costs.ratios(record, "train")["train"] == 1
