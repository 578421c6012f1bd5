"""Tables that set predictions beside measurements and the published: by hand."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from decondense import paper
from decondense.chapters.signal import measurements, tables
from decondense.chapters.signal import recursion as signal

TEXTS = [np.random.default_rng(0).integers(0, 60, 96), np.random.default_rng(1).integers(900, 930, 64)]
GPT2 = signal.Architecture("gpt2", 256, 4, 4, 64, 1024)
QWEN3 = signal.Architecture("qwen3", 256, 4, 8, 64, 768)


def test_predictions_are_those_of_the_recursion():
    table = measurements.predictions({"b": QWEN3, "a": GPT2}, TEXTS, 1, 3)
    found = tables.propagations(table)
    assert list(found) == ["b", "a"]
    for name, a in (("a", GPT2), ("b", QWEN3)):
        np.testing.assert_array_equal(found[name].mu, signal.predict(a, TEXTS, 1, 3).mu)
        np.testing.assert_array_equal(found[name].norm, signal.predict(a, TEXTS, 1, 3).norm)


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
