"""Fig. 1: where the points lie, and what follows from the mean cosines."""

import json

import numpy as np
import pytest
from made_condensations import made

from decondense.chapters import fig1
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED


def test_cones_are_points_on_the_sphere_with_their_angle(small_pocket, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in 9 * small_pocket))
    found = fig1.cones("pocket-small", "imdb", max_length=32, sources=("local",), train_tokens=0)
    assert list(found.points) == ["early", "last"]
    for name, points in found.points.items():
        assert points.shape == (32, 3)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
        angle = np.degrees(np.arccos(points[:, 2])).mean()
        assert found.record.content["results"]["mean_angle_degrees"][name] == pytest.approx(angle, abs=1e-3)


SMALL = made([[0.9, 0.1, 0.5], [0.9, 0.3, 0.8], [0.9, 0.2, 0.5]], "small")  # the embedding output does not count


def test_claims_are_on_paired_differences():
    deeper, wider = fig1.claims(SMALL, made([[0.0, 0.0, 0.4], [0.0, 0.0, 0.7], [0.0, 0.0, 0.4]], "large"))
    assert deeper.here.startswith("μ last - early = 0.40 [0.3")
    assert wider.here == "μ small - large = 0.10 [0.10, 0.10]"  # the same in every text
    assert [deeper.verdict.word, wider.verdict.word] == [REPRODUCED] * 2
    assert {deeper.published, wider.published} == {"drawn"}


def test_a_large_model_that_is_as_narrow_is_not_wider():
    deeper, wider = fig1.claims(SMALL, SMALL)
    assert [deeper.verdict.word, wider.verdict.word] == [REPRODUCED, NOT_REPRODUCED]
    either_way = made([[0.0, 0.2, 0.1], [0.0, 0.2, 0.3]])
    assert fig1.claims(either_way, either_way)[0].verdict.word == NOT_REPRODUCED


def test_one_text_has_no_interval():
    one = made([[0.9, 0.1, 0.5]])
    assert [c.verdict.word for c in fig1.claims(one, one)] == [NOT_TESTABLE] * 2
