"""The geometry beside the record of one run: read from its file, and its late half by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_condensations import made

from decondense.records import Record
from decondense.runs import geometry
from decondense.runs.run import Run

MU = [[0.1, 0.2, 0.4, 0.6, 0.8]]


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "one.npz"
    path.write_bytes(made(MU).to_bytes())
    return Run("train", 0, Record(tmp_path / "one.json", {}, path))


def test_what_is_beside_the_record_is_read(run):
    np.testing.assert_allclose(geometry.measured(run).mu, MU[0])
    assert geometry.measured(run) is geometry.measured(run)


def test_the_late_half_is_the_mean_of_the_last_entries(run):
    assert geometry.late_half()(run) == pytest.approx(np.mean(MU[0][-2:]))


def test_the_late_half_of_a_control(run, monkeypatch):
    controlled = SimpleNamespace(controls={"within": np.array([0.0, 0.1, 0.1, 0.3, 0.5])})
    monkeypatch.setattr(geometry, "measured", lambda of: controlled)
    assert geometry.late_half("within")(run) == pytest.approx(0.4)
