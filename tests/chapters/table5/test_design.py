"""The pilot, and what the design can see."""

from pathlib import Path

import numpy as np
import pytest

from decondense import records, stats
from decondense.chapters.table5 import design, quantities
from decondense.records import Record
from decondense.runs import grid
from decondense.runs.run import Run


def test_the_pilot_is_of_committed_runs(monkeypatch):
    """Not one of them is trained: every configuration has its record, whatever machine made it."""
    kept = [records.read(path).content["config"] for path in records.committed_folder().glob("table5-*.json")]
    asked = []
    monkeypatch.setattr(grid, "runs", lambda *shared: asked.extend(grid.jobs(*shared)) or [])
    design.pilot_runs(list(design.PILOT_SHAPES))
    assert len(asked) == 30
    assert all(config.as_dict() in kept for _, config in asked)


def test_power_has_the_accuracy_beside_the_design():
    values = {"train": [30.0, 31.0, 30.5], "dispersion": [31.0, 31.0, 31.5]}
    runs = [Run(label, seed, Record(Path("none"), {}, None)) for label in values for seed in range(3)]
    table = {(label, seed): value for label, row in values.items() for seed, value in enumerate(row)}
    patched = lambda run: table[run.label, run.seed]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(quantities.QUANTITIES, quantities.ACCURACY, patched)
        found = design.power({"GPT-2": runs})
    spread = np.std([1.0, 0.0, 1.0], ddof=1)
    row = found.loc[quantities.ACCURACY]
    assert row.spread == pytest.approx(spread)
    assert row.detectable == pytest.approx(stats.detectable_with(spread, 5))
    assert row["smallest that counts"] == pytest.approx(1.17)
    assert len(found) == 3
    assert len(design.power({})) == 2
