"""Tables that set predictions beside measurements and the published: by hand."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from decondense import paper
from decondense.chapters.signal import measurements, tables
from decondense.chapters.signal import recursion as signal

TEXTS = [np.array([1, 2, 1, 3, 3, 4, 1, 5]), np.array([7, 7, 8, 9])]
GPT2 = signal.Architecture("gpt2", 256, 2, 4, 64, 1024)
QWEN3 = signal.Architecture("qwen3", 256, 2, 8, 64, 768)


def test_predictions_are_those_of_the_recursion():
    asked = {"b": QWEN3, "a": GPT2}
    found = tables.propagations(measurements.predictions(asked, TEXTS, 1, 3))
    assert list(found) == ["b", "a"]
    for name, a in asked.items():
        expected = signal.predict(a, TEXTS, 1, 3)
        np.testing.assert_array_equal(found[name].mu, expected.mu)
        np.testing.assert_array_equal(found[name].norm, expected.norm)


def test_profiles_are_measured_here_and_means_of_those_elsewhere(condensation):
    higher = dataclasses.replace(condensation, mu_per_text=condensation.mu_per_text + 0.2)
    elsewhere = {"other": [SimpleNamespace(condensation=one) for one in (condensation, higher)]}
    found = tables.profiles([condensation], elsewhere)
    np.testing.assert_array_equal(found["toy"], condensation.mu)
    np.testing.assert_allclose(found["other"], condensation.mu + 0.1)
    assert list(tables.profiles([condensation])) == ["toy"]


def test_errors_by_hand():
    flow = lambda *mu: signal.Propagation(np.array(mu), np.ones(3))
    predicted, uniform = {"m": flow(0.1, 0.5, 0.4), "not measured": flow(1, 1, 1)}, {"m": flow(0.1, 0.3, 0.9)}
    table = tables.errors(predicted, uniform, {"m": np.array([0.1, 0.3, 0.5])})
    assert table.index.tolist() == ["m"]
    assert table.loc["m"].tolist() == pytest.approx([0.4, 0.5, 0.1 / 3, 0.2, 1, 0.4])


def test_start_and_trained_have_three_entries_of_each():
    table = tables.start_and_trained([np.array([1, 2, 1, 3])], {"gpt2": "GPT2"})
    assert table.index.tolist() == [("gpt2", "initial"), ("gpt2", "trained")]
    assert table.loc[("gpt2", "trained"), "middle"] == paper.mean_cosines("Fig2a", "GPT2").cosine_mean[6]
    start = signal.predict(signal.architecture("gpt2"), [np.array([1, 2, 1, 3])], draws=0).mu
    assert table.loc[("gpt2", "initial")].tolist() == [start[0], start[6], start[12]]


def test_a_model_of_another_depth_than_that_of_the_figure(monkeypatch):
    flat = signal.architecture("gpt2")._replace(depth=2)
    monkeypatch.setattr(tables, "architecture", lambda _: flat)
    ids = [np.array([1, 2, 1, 3])]
    table = tables.start_and_trained(ids, {"gpt2": "GPT2"})
    assert table.loc[("gpt2", "initial")].tolist() == signal.predict(flat, ids, draws=0).mu.tolist()
