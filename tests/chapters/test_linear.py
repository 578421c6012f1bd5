"""The measurements of the expansion: rows against their definitions, records that are read again, short trainings."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from decondense import losses, metrics, models
from decondense.chapters import linear as runs

CORPUS = {"sources": []}


def tokens(n, d, shift=0.5, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_kernel_is_what_the_loss_averages():
    for degrees in (5, 60, 130, 178):
        z = torch.tensor([[[1.0, 0.0], [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]]])
        exact = losses.dispersion(z.double(), eps=1e-12).exp().item()
        assert runs.kernel(np.array([math.cos(math.radians(degrees))]))[0] == pytest.approx(exact, rel=1e-6)


def test_two_tokens_have_no_error():
    row = runs.errors(tokens(2, 5))
    for name in runs.ORDERS:
        assert row[f"error, {name}"] == pytest.approx(0, abs=1e-6)
        assert row[f"gradient, {name}"] == pytest.approx(1)
        assert row[f"bound, {name}"] >= 0


def test_errors_are_those_of_the_losses():
    z = tokens(30, 6)
    row = runs.errors(z)
    exact, near = (losses.dispersion(z[None].double(), order=order).item() for order in (None, 1))
    assert row["value"] == pytest.approx(exact)
    assert row["error, order 1"] == pytest.approx(100 * (near - exact) / abs(exact))
    assert row["mean"] == pytest.approx(metrics.mean_cosine(z.double()).off_diagonal.item(), abs=0.01)
    assert abs(row["error, order 2"]) < abs(row["error, order 1"]) <= row["bound, order 1"]
    assert row["gradient, order 1"] < row["gradient, order 2"] < 1
    assert row["error, 256 tokens"] == 0  # there are no more than thirty
    assert row["centred"] < row["value"]
    assert 0 < row["uniformity"] < 1


def test_a_part_of_the_tokens_has_a_part_of_the_gradient():
    row = runs.errors(tokens(512, 6))
    assert row["gradient, 256 tokens"] == pytest.approx(0.5**0.5, abs=0.1)


def test_by_temperature_has_at_1_what_errors_has():
    z = tokens(30, 6)
    table, row = runs.by_temperature(z, [0.2, 1.0]), runs.errors(z)
    assert list(table.index) == [0.2, 1.0]
    for name in table:
        assert table.loc[1.0, name] == pytest.approx(row[name])
    for name in runs.ORDERS:
        assert table.loc[0.2, f"gradient, {name}"] < table.loc[1.0, f"gradient, {name}"]


def test_widest_stops_at_the_first_row_that_does_not_hold():
    assert runs.widest([0.3, 0.1, 0.2, 0.4], [False, True, True, True]) == 0.2
    assert runs.widest([0.2, 0.1], [True, False]) == 0
    assert runs.widest([0.2, 0.1], [True, True]) == 0.2


def test_layers_are_measured_once(small_pocket, monkeypatch):
    small_pocket += 2 * small_pocket  # long enough for a text
    how = {"texts": 2, "max_length": 24, "train_tokens": 0, **CORPUS}
    found = runs.on_layers("pocket-small", "documentation", **how)
    assert found.table.index.tolist() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert found.table.notna().all().all()
    monkeypatch.setattr(models, "load", None)
    again = runs.on_layers("pocket-small", "documentation", **how)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert [r.path for r in again.records] == [r.path for r in found.records]


def test_time_has_one_row_a_round_and_one_column_a_variant():
    found = runs.timed(40, 8, rounds=2)
    assert found.table.shape == (2, 4)
    assert list(found.table) == [name for name in runs.VARIANTS if name != "no loss"]
    assert found.table.gt(0).all().all()


def test_training_starts_from_the_same_weights_and_sees_the_same_batches(small_pocket):
    how = {"steps": 3, "batch_size": 2, "length": 24, "looks": 1, "held_out": 2, "train_tokens": 0, **CORPUS}
    found = runs.trained("pocket-small", "documentation", ["no loss", "all pairs", "order 1"], [0, 1], **how)
    assert len(found.records) == 6
    start = found.table.xs(0, level="step")
    assert start.groupby("entry").mu.nunique().eq(1).all()
    mu, language = (runs.ends(found.table, name) for name in ("mu", "validation_loss"))
    assert mu.shape == (3, 2)
    assert (mu.loc["all pairs"] < mu.loc["no loss"]).all()
    assert (mu.loc["order 1"] - mu.loc["all pairs"]).abs().max() < (mu.loc["no loss"] - mu.loc["all pairs"]).min()
    assert mu[0]["no loss"] != mu[1]["no loss"]
    assert language.loc["no loss"].lt(start.validation_loss.iloc[0]).all()
    rows = runs._train(found.records[0].content["config"])
    assert rows[-1]["mu"] == pytest.approx(found.records[0].content["results"]["rows"][-1]["mu"], rel=1e-4)
