"""`--controls`: the short table, the numbers as data, and both in what a command writes and shows."""

import json
import sys
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from made_controls import gathered
from rich.console import Console
from typer.testing import CliRunner

from decondense.cli import app, controls, per_token, report, results, terminal
from decondense.condensation import Condensation
from decondense.controls import QUANTITIES

runner = CliRunner()


@pytest.fixture
def result(condensation):
    rng = np.random.default_rng(0)
    settings = condensation.settings | {"texts": "toys", "model": {"parameters": 1, "family": "toy"}}
    found = gathered([rng.normal(size=(6, 8, 5)) + 1 for _ in range(6)])
    return replace(condensation, controls=found, settings=settings, nonfinite_vectors=np.zeros(5, dtype=int))


def test_rows_are_those_of_the_first_middle_and_last_entry(result):
    found = dict(controls.rows(result.controls))
    assert list(found)[:3] == ["within", "between", "excess"]
    low, high = result.controls.interval("between")
    for place, entry in enumerate((0, 2, 4)):
        expected = (result.controls["between"][entry], low[entry], high[entry])
        assert found["between"][place] == pytest.approx(expected)


def test_facts_are_every_quantity(result):
    found = json.loads(json.dumps(controls.facts(result.controls), default=lambda array: array.tolist()))
    assert list(found) == list(result.controls.quantities)
    assert found["excess"]["value"] == pytest.approx(result.controls["excess"])
    assert found["excess"]["before_final_norm"] == pytest.approx(result.controls.before_final_norm("excess"))


def test_facts_of_a_result_have_controls_only_where_they_are(result):
    assert results.facts(result)["controls"].keys() == set(result.controls.quantities)
    assert "controls" not in results.facts(replace(result, controls=None))


def test_the_terminal_shows_the_table(result):
    console = Console(width=100, record=True)
    console.print(terminal.controls(result))
    shown = console.export_text()
    assert f"{result.controls['between'][2]:+.3f}" in shown
    assert "between without top 3" in shown


def test_the_report_has_the_table_and_the_figure(result, tmp_path):
    content = {"command": "decondense measure toy --controls", "failed": {}}
    results.write(tmp_path, [result], [], content, {}, {})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Within texts and between them" in html
    assert f"{result.controls['excess'][4]:+.3f}<small>" in html
    assert results.FIGURES["controls"] in html
    assert all(escape(row.formula) in html for row in QUANTITIES)
    assert (tmp_path / "controls.png").stat().st_size > 1000
    plain = report.measurement([replace(result, controls=None)], [], {}, "", {})
    assert "Within texts and between them" not in plain


def test_the_second_pass_of_per_token_is_not_asked_for_controls(monkeypatch):
    from decondense import surveys

    asked = {}
    monkeypatch.setattr(surveys, "token_cosines", lambda name, texts, **how: asked.update(how) or [])
    per_token.measured("toy", None, {"controls": True, "progress": False, "seed": 0})
    assert asked == {"seed": 0}


def test_measure_takes_the_option(monkeypatch, tmp_path, tiny_gpt2, tiny_tokenizer, texts):
    monkeypatch.chdir(tmp_path)
    tiny_gpt2.save_pretrained("one")
    tiny_tokenizer.save_pretrained("one")
    Path("texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    words = ["measure", "one", "--texts", "texts.jsonl", "--max-length", "32", "--controls", "--out", "out", "--json"]
    monkeypatch.setattr(sys, "argv", ["decondense", *words])
    found = runner.invoke(app.app, words)
    assert found.exit_code == 0, found.output
    model = json.loads(found.stdout)["models"][0]
    assert model["controls"]["within"]["value"] == pytest.approx(model["mu_off_diagonal"], abs=1e-6)
    saved = Condensation.load("out/one.npz").controls
    assert model["controls"]["excess"]["value"] == pytest.approx(saved["excess"])
    assert Path("out/controls.png").is_file()


def test_card_alone_refuses_controls():
    found = runner.invoke(app.app, ["measure", "one", "--card", "--controls"])
    assert found.exit_code == 2
    assert "--per-token and --controls out" in found.output
