"""The recursion meets real models with random weights; tables by hand; records that are read again."""

import numpy as np
import pandas as pd
import pytest

from decondense import records
from decondense.base import closure
from decondense.chapters.signal import measurements
from decondense.chapters.signal import recursion as signal

GPT2 = signal.Architecture("gpt2", 256, 4, 4, 64, 1024)
QWEN3 = signal.Architecture("qwen3", 256, 4, 8, 64, 768)
BOTH = pytest.mark.parametrize("a", [GPT2, QWEN3], ids=lambda a: a.kind)
TEXTS = [np.random.default_rng(0).integers(0, 60, 96), np.random.default_rng(1).integers(900, 930, 64)]


@BOTH
def test_prediction_meets_real_random_weights(a):
    found = [measurements.measure(a, TEXTS, seed) for seed in range(3)]
    predicted = signal.predict(a, TEXTS)
    np.testing.assert_allclose(np.mean([f.mu for f in found], axis=0), predicted.mu, atol=0.05)
    np.testing.assert_allclose(np.mean([f.norm for f in found], axis=0), predicted.norm, rtol=0.05)


def test_measure_is_a_mean_over_texts_and_repeats_with_its_seed():
    a = GPT2._replace(depth=1, width=64, heads=1)
    both = measurements.measure(a, TEXTS)
    np.testing.assert_array_equal(both.mu, measurements.measure(a, TEXTS).mu)
    assert (both.mu != measurements.measure(a, TEXTS, seed=1).mu).any()
    assert both.mu.shape == both.norm.shape == (2,)


def test_token_ids_are_cut(small_pocket):
    small_pocket += 2 * small_pocket  # long enough for a text
    found = measurements.token_ids("pocket-small", "documentation", 2, 5, sources=[])
    assert [len(ids) for ids in found] == [5, 5]


def test_over_width_and_initializer():
    a = GPT2._replace(depth=2)
    table = measurements.over_width(a, TEXTS[:1], [64, 128], seeds=2)
    assert table.index.tolist() == [64, 128]
    found = [measurements.measure(signal.resized(a, 128), TEXTS[:1], seed).mu[-1] for seed in range(2)]
    row = table.loc[128]
    assert row.measured == pytest.approx(np.mean(found))
    assert row.spread == pytest.approx(np.std(found, ddof=1))
    assert row.relative == pytest.approx(row.spread / row.measured * 128**0.5)
    other = measurements.over_initializer(a, TEXTS[:1], [0.01, 0.02], seeds=2)
    assert other.predicted[0.02] == pytest.approx(signal.predict(a, TEXTS[:1]).mu[-1])
    assert other.predicted[0.01] < other.predicted[0.02]


def test_last_mu_is_a_map():
    table = measurements.last_mu(GPT2, TEXTS[:1], [128, 256], "depth", [1, 3])
    assert table.shape == (2, 2)
    assert table.loc[3, 256] == pytest.approx(signal.predict(GPT2._replace(depth=3), TEXTS[:1], draws=1).mu[-1])


def test_ablations_and_sizes():
    texts = [TEXTS[0][:24]]
    table = measurements.ablations(["gpt2"], texts)
    assert table.loc["without the MLP", "gpt2"] > table.loc["as it is", "gpt2"]
    found = measurements.sizes(["gpt2", "qwen3-0.6b"], texts)
    assert found.loc["gpt2", "k(0)"] > 0
    assert found.loc["qwen3-0.6b", "k(0)"] == pytest.approx(0, abs=1e-12)
    att, mlp = signal.powers(signal.architecture("gpt2"))
    assert found.loc["gpt2", "P_mlp / P_att"] == pytest.approx(mlp / att)
    assert found.loc["gpt2", "last μ"] == pytest.approx(table.loc["as it is", "gpt2"])


@pytest.fixture
def own_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")


def test_committed_records_are_found_by_their_configuration(tmp_path, monkeypatch):
    """Whatever code made them: their functions are those of this room, and none is called again."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    kept = [records.read(path) for path in sorted(records.committed_folder().glob("signal-*.json"))]
    assert kept
    for record in kept:
        config = record.content["config"]
        assert callable(getattr(measurements, config["function"]))
        called = lambda *_: pytest.fail("the record was not found")
        called.__name__ = config["function"]
        found = measurements.recorded(called, *config["arguments"])
        assert found.record.path.name == record.path.name


def counted(table):
    """A function that gives a table, and how often it was asked."""
    calls = []

    def function(*arguments):
        calls.append(arguments)
        return table

    return function, calls


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"x": [0.1, 2.0], "n": [1, 2]}, index=["gpt2", "qwen3"]),
        pd.DataFrame([[0.25, 1.0]], index=pd.Index([0.005], name="initialiser"), columns=pd.Index([64, 128], name="w")),
        pd.DataFrame(
            {"mu": [0.1, 0.2]}, index=pd.MultiIndex.from_tuples([("a", 0), ("b", 1)], names=["model", "entry"])
        ),
    ],
    ids=["names", "map", "two levels"],
)
def test_a_recorded_table_comes_back_as_it_was(own_records, table):
    function, calls = counted(table)
    first, second = (measurements.recorded(function, GPT2, TEXTS, [1, 2]) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, table)
    pd.testing.assert_frame_equal(second.table, table)
    assert len(calls) == 1


def test_other_arguments_are_another_record(own_records):
    function, calls = counted(pd.DataFrame({"x": [1.0]}))
    for arguments in [(GPT2, TEXTS), (GPT2._replace(depth=5), TEXTS), (GPT2, TEXTS[:1]), (GPT2, [TEXTS[0] + 1])]:
        measurements.recorded(function, *arguments)
    assert len(calls) == 4


def test_check_run_makes_the_table_again(own_records):
    table = pd.DataFrame({"x": [1.0, 2.0], "y": [0.5, 0.5]})
    function, calls = counted(table)
    measurements.recorded(function, 1)
    assert measurements.check_run(function, 1).agrees.tolist() == [True, True]
    assert len(calls) == 2
    table.loc[1, "y"] += 0.01
    check = measurements.check_run(function, 1)
    assert check.agrees.tolist() == [True, False]
    assert check.now[1] == pytest.approx(0.01)


def test_norms_are_those_of_both():
    a = GPT2._replace(depth=1)
    table = measurements.norms(a, TEXTS, 1, 3)
    np.testing.assert_array_equal(table.predicted, signal.predict(a, TEXTS, 1, 3).norm)
    np.testing.assert_array_equal(table.measured, measurements.measure(a, TEXTS, 3).norm)
    assert table.ratio[1] == pytest.approx(table.predicted[1] / table.measured[1])


def test_a_changed_sentence_measures_nothing_again():
    names = {path.name for path in closure.files(measurements.__name__)}
    assert not names & {"claims.py", "figures.py", "tables.py", "plots.py"}
