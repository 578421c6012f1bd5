"""Runs of an item among records: by label and seed, on a machine that has no token files."""

from dataclasses import replace

import pytest

from decondense import records
from decondense.campaign import plan, training
from decondense.campaign.plan import Rate
from decondense.runs import items, kept


@pytest.fixture
def made(tokens, tmp_path, monkeypatch):
    """The folder with the records of an item at tiny size, and what was said of them; then the token files are gone."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(plan, "measured_rate", lambda config: Rate(1e-3, 0.0))

    def make(name):
        said = []
        assert training.make(items.runs(name, tiny=True), tmp_path, True, 600.0, said.append)
        monkeypatch.delenv("DECONDENSE_DATA")
        return tmp_path / "records", said

    return make


def test_the_runs_of_a_family(made, monkeypatch):
    folder, said = made("family")
    found = kept.runs("family", folder, tiny=True)
    assert [(run.label, run.seed) for run in found] == [("8 wide", 0), ("8 wide", 1), ("16 wide", 0), ("16 wide", 1)]
    assert training.summary(items.runs("family", tiny=True), found).to_string() == said[-1]
    assert kept.runs("family", folder) == []  # those of the real size
    monkeypatch.setattr(records, "committed_folder", lambda: folder)
    assert [run.record.path for run in kept.runs("family", tiny=True)] == [run.record.path for run in found]


def test_runs_that_chose_a_rate_are_left_out_and_a_rate_tells_labels_apart(made):
    folder, _ = made("width")
    assert len(list(folder.glob("*.json"))) == 7
    found = kept.runs("width", folder, tiny=True)
    assert [run.label for run in found] == ["8", "16", "16, paper's rate"]
    assert found[2].config["learning_rate"] == 2.5e-5


def test_runs_of_another_plan_are_left_out_and_longer_ones_named(made):
    """Two plans of an item may differ in their steps; a label and a seed are to name one run."""
    folder, _ = made("family")
    found = kept.runs("family", folder, tiny=True)
    config = {**found[0].config, "steps": 99}
    other = replace(found[0], record=found[0].record._replace(content={"config": config}))
    assert kept._of_one_length([*found, other], "8 wide", longer=False) == found
    *same, longer = kept._of_one_length([*found, other], "8 wide", longer=True)
    assert (same, longer.label) == (found, "8 wide, 99 steps")
    assert kept._of_one_length([], "8 wide", longer=True) == []


def test_a_configuration_that_no_label_has():
    assert kept.label_of({"shape": {"n_inner": 3}}, {"8": {"shape": {"n_inner": 8}}}) is None
