"""A finished run reads back what was measured: geometry, curve, losses, benchmarks."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from toys import tiny

from decondense import evaluate, measurement, records
from decondense.runs.run import Run

LENGTH = 12
CURVE = [
    {"step": 1, "loss": 4.0, "loss_language": 3.5, "loss_regulariser": 5.0, "learning_rate": 0.1, "grad_norm": 2.0},
    {"step": 2, "loss": 3.0, "loss_language": 2.8, "loss_regulariser": 2.0, "learning_rate": 0.0, "grad_norm": 1.5},
]
ITEMS = pd.DataFrame(
    {
        "task": ["b", "b", "a"], "subtask": ["b", "b", "a1"], "doc": [0, 1, 0], "hash": ["x", "y", "z"],
        "score": [1.0, 0.0, 1.0], "logprob": [-0.5, -2.0, -0.25],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    """Condensations of the same two texts at three moments: a tiny model whose weights grow."""
    model = tiny("gpt2")
    texts = np.random.default_rng(0).integers(0, 64, (2, LENGTH)).tolist()
    found = []
    for _ in range(3):
        found.append(measurement.measure(model, None, texts, max_length=LENGTH, progress=False))
        for weight in model.parameters():
            weight.data *= 1.5
    return found


@pytest.fixture
def run(measured, tmp_path, monkeypatch):
    """A run with its record as `midtraining` writes it."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    arrays = {"mu": np.stack([m.mu_per_text for m in measured]), "histogram": np.stack([m.histogram for m in measured])}
    items = {f"item_{name}": ITEMS[name].to_numpy() for name in ITEMS}
    items = {name: a.astype(str) if a.dtype.kind not in "fi" else a for name, a in items.items()}
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays, **items)
    results = {
        "curve": CURVE, "validation_loss": [5.5, 3.25], "checkpoints": [0, 10, 20], "tasks": {"a": {"items": 1}},
    }  # fmt: skip
    config = {"seed": 3, "text_length": LENGTH}
    return Run("dispersion", 3, records.run("toy", config, lambda: (results, buffer.getvalue())))


def test_mu_is_the_mean_over_texts(run, measured):
    assert run.mu.shape == (3, 4)
    np.testing.assert_array_equal(run.mu, [m.mu for m in measured])


@pytest.mark.parametrize("checkpoint", [0, 1, -1])
def test_look_is_what_measure_gave(run, measured, checkpoint):
    look, expected = run.look(checkpoint), measured[checkpoint]
    np.testing.assert_array_equal(look.mu_per_text, expected.mu_per_text)
    np.testing.assert_allclose(look.mu_off_diagonal_per_text, expected.mu_off_diagonal_per_text, atol=1e-6)
    np.testing.assert_array_equal(look.histogram, expected.histogram)
    assert look.tokens.tolist() == expected.tokens.tolist() == [LENGTH, LENGTH]
    assert look.zero_vectors.tolist() == look.nonfinite_vectors.tolist() == [0] * 4
    assert (look.rho, look.tau) == (expected.rho, expected.tau)
    assert look.name == f"step {[0, 10, 20][checkpoint]}"
    assert look.settings["seed"] == 3


def test_last_look_is_the_default(run):
    np.testing.assert_array_equal(run.look().mu_per_text, run.look(2).mu_per_text)


def test_late_half_is_that_of_the_layers(run):
    assert run.late_half() == pytest.approx(run.mu[-1, 2:].mean())  # 3 blocks: entries 2 and 3
    assert run.late_half(0) == pytest.approx(run.mu[0, 2:].mean())
    assert run.late_half(0) != run.late_half()


def test_curve_and_validation_loss(run):
    pd.testing.assert_frame_equal(run.curve, pd.DataFrame(CURVE))
    assert run.validation_loss == 3.25


def test_evaluation_is_read_back_item_by_item(run):
    found = run.evaluation
    assert isinstance(found, evaluate.Evaluation)
    pd.testing.assert_frame_equal(found.items, ITEMS, check_dtype=False)
    assert found.tasks == {"a": {"items": 1}}
    assert found.table()["acc (%)"].to_dict() == {"b": 50.0, "a": 100.0, "average": 75.0}


def test_file_is_read_once(run):
    first = run.mu
    run.record.arrays.unlink()
    np.testing.assert_array_equal(run.mu, first)
    assert run.late_half() == pytest.approx(first[-1, 2:].mean())
