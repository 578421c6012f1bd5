"""What the measurements of the chapter are made of in its tests."""

import json

import numpy as np
import pytest


@pytest.fixture
def world(small_pocket, tmp_path, monkeypatch):
    """A local corpus of 400 rows of 100 words, and a folder for records."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    rng = np.random.default_rng(0)
    words = np.array(" ".join(small_pocket[:5]).split())
    lines = [json.dumps({"text": " ".join(rng.choice(words, 100)) + "\n"}) for _ in range(400)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(lines))
