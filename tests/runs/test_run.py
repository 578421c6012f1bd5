"""A finished run reads back what was measured: geometry, curve, losses, benchmarks; also from an earlier record."""

from dataclasses import fields
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from toys import tiny

from decondense import measurement, records
from decondense.condensation import Condensation, to_arrays
from decondense.evaluate import Evaluation
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
    """Condensations of the same two texts at three moments: a tiny model whose weights grow, and one zero vector."""
    model = tiny("gpt2")
    model.transformer.wte.weight.data[0] = model.transformer.wpe.weight.data[0] = 0
    texts = np.random.default_rng(0).integers(0, 64, (2, LENGTH)).tolist()
    texts[0][0] = 0
    found = []
    for step in (0, 10, 20):
        how = {"max_length": LENGTH, "progress": False, "name": f"step {step}", "seed": 3}
        with pytest.warns(UserWarning, match="zero hidden vectors"):
            found.append(measurement.measure(model, None, texts, **how))
        for weight in model.parameters():
            weight.data *= 1.5
    assert found[0].zero_vectors[0] == 1
    return found


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A run with a record of these arrays."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))

    def record(arrays, losses=(5.5, 3.25)):
        items = {f"item_{name}": ITEMS[name].to_numpy() for name in ITEMS}
        items = {name: a.astype(str) if a.dtype.kind not in "fi" else a for name, a in items.items()}
        buffer = BytesIO()
        np.savez_compressed(buffer, **arrays, **items)
        results = {"curve": CURVE, "validation_loss": list(losses), "checkpoints": [0, 10, 20], "tokens": 640}
        results["tasks"] = {"a": {"items": 1}}
        config = {"seed": 3, "text_length": LENGTH}
        return Run("dispersion", 3, records.run("toy", config, lambda: (results, buffer.getvalue())))

    return record


@pytest.fixture
def run(recorded, measured):
    return recorded(to_arrays(measured))


def test_looks_are_what_measure_gave(run, measured):
    for look, expected in zip(run.looks, measured, strict=True):
        for field in fields(Condensation):
            found, given = getattr(look, field.name), getattr(expected, field.name)
            np.testing.assert_equal(found, given.astype(np.float32) if field.name == "histogram" else given)
    assert run.look() is run.looks[2]
    assert run.look(0) is run.looks[0]
    np.testing.assert_array_equal(run.mu, [m.mu for m in measured])


def test_what_an_earlier_record_lacks_is_none_and_not_made_up(recorded, measured):
    kept = {"mu": np.stack([m.mu_per_text for m in measured]), "histogram": np.stack([m.histogram for m in measured])}
    run = recorded(kept)
    np.testing.assert_array_equal(run.mu, [m.mu for m in measured])
    for look, expected in zip(run.looks, measured, strict=True):
        assert look.mu_off_diagonal_per_text is look.zero_vectors is look.nonfinite_vectors is None
        np.testing.assert_array_equal(look.mu_per_text, expected.mu_per_text)
        np.testing.assert_array_equal(look.histogram, expected.histogram)
        np.testing.assert_array_equal(look.tokens, expected.tokens)
        assert (look.name, look.rho, look.tau) == (expected.name, expected.rho, expected.tau)
        assert (look.settings["seed"], look.settings["max_length"]) == (3, LENGTH)
        table = look.to_frame()
        assert table[["mu_off_diagonal", "zero_vectors", "nonfinite_vectors"]].isna().all(axis=None)


def test_late_half_is_that_of_the_layers(run):
    assert run.late_half() == pytest.approx(run.mu[-1, 2:].mean())  # 3 blocks: entries 2 and 3
    assert run.late_half(0) == pytest.approx(run.mu[0, 2:].mean()) != run.late_half()


@pytest.mark.parametrize(("losses", "column"), [((5.5, 3.25), [5.5, None, 3.25]), ((5.5, 4.0, 3.25), [5.5, 4.0, 3.25])])
def test_path_has_a_row_a_checkpoint(recorded, measured, losses, column):
    run = recorded(to_arrays(measured), losses)
    path = run.path.astype(object).where(run.path.notna(), None)
    assert path["validation_loss"].tolist() == column
    assert (path["step"].tolist(), path["tokens"].tolist()) == ([0, 10, 20], [0, 320, 640])
    assert path["rho"].tolist() == [look.rho for look in run.looks]
    assert path["tau"].tolist() == [look.tau for look in run.looks]
    assert path["late_half"].tolist() == [run.late_half(number) for number in range(3)]
    assert run.validation_loss == 3.25


def test_curve_is_what_was_logged(run):
    pd.testing.assert_frame_equal(run.curve, pd.DataFrame(CURVE))


def test_evaluation_is_read_back_item_by_item(run):
    found = run.evaluation
    assert isinstance(found, Evaluation)
    pd.testing.assert_frame_equal(found.items, ITEMS, check_dtype=False)
    assert found.tasks == {"a": {"items": 1}}
    assert found.table()["acc (%)"].to_dict() == {"b": 50.0, "a": 100.0, "average": 75.0}


def test_file_is_read_once(run):
    first = run.mu
    run.record.arrays.unlink()
    np.testing.assert_array_equal(run.mu, first)
    assert run.late_half() == pytest.approx(first[-1, 2:].mean())
