"""Fig. 1: where the points lie."""

import json

import numpy as np
import pytest

from decondense.chapters.fig1 import measurements


def test_cones_are_points_on_the_sphere_with_their_angle(small_pocket, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in 9 * small_pocket))
    found = measurements.cones("pocket-small", "imdb", max_length=32, sources=("local",), train_tokens=0)
    assert list(found.points) == ["early", "last"]
    for name, points in found.points.items():
        assert points.shape == (32, 3)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
        angle = np.degrees(np.arccos(points[:, 2])).mean()
        assert found.record.content["results"]["mean_angle_degrees"][name] == pytest.approx(angle, abs=1e-3)
    last = max(found.depths)
    assert list(found.depths) == list(range(last + 1))  # a small model keeps all entries
    assert found.points["early"] is found.depths[1]
    assert found.points["last"] is found.depths[last]
