"""Estimates and tables of made-up records."""

import importlib.util
from pathlib import Path

import pytest

from decondense.chapters.static import tables

spec = importlib.util.spec_from_file_location("made_static", Path(__file__).with_name("made.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def test_estimates_of_an_embedding():
    found = made.embedding(cosine=0.3, tie=-0.4, gain=0.1)
    assert found.cosine["none"].value == pytest.approx(0.3, abs=0.01)
    assert (found.cosine["none"].units, found.tie.units, found.gain["centring"].units) == (10, 20, 10)
    assert found.tie.value == pytest.approx(-0.4, abs=0.01)
    assert list(found.gain) == ["centring", "all-but-the-top", "whitening"]
    assert found.gain["whitening"].value == pytest.approx(0.1, abs=0.01)


def test_estimates_of_a_model():
    found = made.model(mu=0.05, rank=1.5, rise=1.0, beyond=0.4)
    assert found.middle_mu["all-but-the-top"].value == pytest.approx(0.05, abs=0.02)
    assert found.middle_rank_gain["whitening"].value == pytest.approx(0.5, abs=0.01)
    assert found.middle_rank_gain["none"].value == 0
    assert found.loss_without_mean.value == pytest.approx(1.0, abs=0.02)
    assert found.loss_beyond_random.value == pytest.approx(0.4, abs=0.02)
    assert found.loss_beyond_random.units == 6
    assert found.mu.shape == found.rank.shape == (5, 4)
    assert found.mu["none"].to_numpy() == pytest.approx(0.5, abs=0.02)
    assert list(found.loss) == ["as it is", "without the mean", "random vector"]


def test_summary_has_a_row_for_each_embedding_and_cure():
    table = tables.summary({"a": made.embedding(), "b": made.embedding(cosine=0.6)})
    assert table.index.tolist() == [(name, cure) for name in "ab" for cure in tables.CURES]
    assert table.loc["b", "none"]["mean cosine"] == pytest.approx(0.6, abs=0.01)
    rise = table.loc["a", "centring"].neighbours - table.loc["a", "none"].neighbours
    assert rise == pytest.approx(0.1, abs=0.01)


def test_gains_are_named_by_embedding_and_cure():
    table = tables.gains({"a": made.embedding(gain=0.1)})
    assert table.index.tolist() == [("a", cure) for cure in tables.CURES[1:]]
    assert (table.low < table.difference).all()
    assert table.difference.between(0.09, 0.11).all()
