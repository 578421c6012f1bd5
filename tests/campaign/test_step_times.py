"""The time of a step in each condition: a record that the pages find again."""

import pytest

from decondense.campaign import step_times
from decondense.runs import items, kept


@pytest.mark.usefixtures("tokens")
def test_the_times_of_a_step(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(step_times, "ROUNDS", 2)
    item = items.runs("anti-collapse", tiny=True)
    record = step_times.measured(item, tiny=True)
    rows = record.content["results"]["rows"]
    assert [list(row) for row in rows] == [list(item.changes)] * 2
    assert all(seconds > 0 for row in rows for seconds, _ in row.values())
    assert kept.step_times("anti-collapse", tmp_path).path == record.path
    assert kept.step_times("family", tmp_path) is None
