"""The measurements of the expansion: records that are read again, short trainings."""

import pandas as pd
import pytest

from decondense import models
from decondense.base import closure
from decondense.chapters.linear import measurements
from decondense.chapters.linear.errors import VARIANTS
from decondense.chapters.linear.tables import ends

CORPUS = {"sources": []}


def test_layers_are_measured_once(small_pocket, monkeypatch):
    small_pocket += 2 * small_pocket  # long enough for a text
    how = {"texts": 2, "max_length": 24, "train_tokens": 0, **CORPUS}
    found = measurements.on_layers("pocket-small", "documentation", **how)
    assert found.table.index.tolist() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert found.table.notna().all().all()
    monkeypatch.setattr(models, "load", None)
    again = measurements.on_layers("pocket-small", "documentation", **how)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert [r.path for r in again.records] == [r.path for r in found.records]


@pytest.mark.usefixtures("frozen")  # memory is tidied before each call that is measured
def test_time_has_one_row_a_round_and_one_column_a_variant():
    found = measurements.timed(40, 8, rounds=2)
    assert found.table.shape == (2, 4)
    assert list(found.table) == [name for name in VARIANTS if name != "no loss"]
    assert found.table.gt(0).all().all()


def test_training_starts_from_the_same_weights_and_sees_the_same_batches(small_pocket):
    how = {"steps": 3, "batch_size": 2, "length": 24, "looks": 1, "held_out": 2, "train_tokens": 0, **CORPUS}
    found = measurements.trained("pocket-small", "documentation", ["no loss", "all pairs", "order 1"], [0, 1], **how)
    assert len(found.records) == 6
    start = found.table.xs(0, level="step")
    assert start.groupby("entry").mu.nunique().eq(1).all()
    mu, language = (ends(found.table, name) for name in ("mu", "validation_loss"))
    assert mu.shape == (3, 2)
    assert (mu.loc["all pairs"] < mu.loc["no loss"]).all()
    assert (mu.loc["order 1"] - mu.loc["all pairs"]).abs().max() < (mu.loc["no loss"] - mu.loc["all pairs"]).min()
    assert mu[0]["no loss"] != mu[1]["no loss"]
    assert language.loc["no loss"].lt(start.validation_loss.iloc[0]).all()
    rows = measurements._train(found.records[0].content["config"])
    assert rows[-1]["mu"] == pytest.approx(found.records[0].content["results"]["rows"][-1]["mu"], rel=1e-4)


def test_a_changed_sentence_measures_nothing_again():
    names = {path.name for path in closure.files(measurements.__name__)}
    assert not names & {"claims.py", "figures.py", "tables.py", "verdicts.py"}
