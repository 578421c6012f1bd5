"""What `measure` found, as plain data and in every form at once. The forms are tested with the command."""

import json
from dataclasses import replace

import numpy as np

from decondense import per_token
from decondense.cli import results
from decondense.per_token import TokenCosines


def test_facts_are_those_of_the_result(condensation):
    facts = results.facts(condensation)
    assert (facts["rho"], facts["layers"]) == (condensation.rho, 4)
    assert (facts["late_half"], facts["late_half_interval"]) == condensation.mean_of_last(None)


def test_tokens_are_pooled_once_for_all_forms(condensation, tmp_path, monkeypatch, capsys):
    asked, real = [], per_token.pooled
    monkeypatch.setattr(per_token, "pooled", lambda found: asked.append(1) or real(found))
    model = {"parameters": 1, "family": "toy"}
    one = replace(condensation, settings=condensation.settings | {"texts": "a.txt", "model": model, "versions": {}})
    tokens = TokenCosines(["a", "b"], np.arange(2), np.zeros(2, bool), (0, 2, 4), np.array([[0.1, 0.2]] * 3))
    about = {"source": "a.txt", "n": 1, "sha256": None}
    results.conclude([one], {}, about, {"toy": [tokens]}, out=tmp_path, card=False, quiet=False, as_json=False)
    assert asked == [1]
    found = json.loads((tmp_path / "report.json").read_text())["per_token"]["toy"]
    assert [found[end][0]["token"] for end in ("furthest_out", "furthest_in")] == ["a", "b"]
    assert "furthest out" in (tmp_path / "report.html").read_text()
    assert "furthest out" in capsys.readouterr().out
