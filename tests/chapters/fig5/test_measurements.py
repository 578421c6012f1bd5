"""The teacher is measured where its students are, once."""

from pathlib import Path

import numpy as np
import pytest

from decondense import corpora, measurement, models, records
from decondense.chapters.fig5 import measurements
from decondense.corpora import streams
from decondense.records import Record
from decondense.runs import PreTraining
from decondense.runs.run import Run


def student(**distillation):
    asked = {"texts": 3, "text_length": 24, "held_out": 4, "length": 16, "steps": 2, "batch_size": 2, "checkpoints": 1}
    shape = {"architecture": "GPT2Config", "n_embd": 8, "n_layer": 1, "n_head": 1}
    config = PreTraining(
        experiment="fig5", shape=shape, corpus="documentation", sources=[], train_tokens=256, seed=5, **asked,
        distillation=distillation or None,
    )  # fmt: skip
    return Run("logits", 5, Record(Path("none"), {"config": config.as_dict(), "results": {}}, None))


def test_the_teacher_is_measured_on_the_windows_of_its_students(small_pocket, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    found = measurements.teacher_of(student(teacher="pocket-medium"))
    teacher = models.load("pocket-medium", train_tokens=256)
    held_out = streams.stream(corpora.load("documentation"), teacher.tokenizer).held_out
    windows = streams.spread(held_out, 3, 24)
    expected = measurement.measure(teacher.model, None, windows, max_length=24, progress=False)
    np.testing.assert_array_equal(found.condensation.mu_per_text, expected.mu_per_text)
    assert found.record.path.name.startswith("fig5-teacher-pocket-medium-seed0-")
    monkeypatch.setattr(measurements, "_look", lambda _: pytest.fail("measured again"))
    again = measurements.teacher_of(student(teacher="pocket-medium", kind="hidden"))
    assert again.record.path == found.record.path


def test_a_run_without_a_teacher_is_refused():
    with pytest.raises(ValueError, match="The run 'logits' had no teacher"):
        measurements.teacher_of(student())
