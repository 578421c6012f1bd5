"""The pictures of the committed run: what they show, and that they show what is committed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_controls import gathered
from PIL import Image

from decondense import records
from decondense.book import overview, scorecard
from decondense.cli.app import app
from decondense.paper.verdicts import CONTRADICTED, REPRODUCED

COMMITTED = Path(__file__).parents[2] / "book" / "results"


def page(name, *verdicts, records=(), **more):
    claims = [{"claim": "c", "kind": "experiment", "repeats": "", "verdict": verdict} for verdict in verdicts]
    return {name: {"notebook": name, "profile": "ci", "claims": claims, "records": list(records)} | more}


def test_bars_are_the_verdicts_on_the_papers_claims():
    committed = page("05_fig3_mlp_width", REPRODUCED, REPRODUCED, CONTRADICTED) | page("06_fig4_none_of_the_paper")
    committed["05_fig3_mlp_width"]["claims"].append({"kind": "own question", "repeats": "", "verdict": REPRODUCED})
    figure = overview.draw(committed)
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Fig. 3: mlp width"]
    assert [bar.get_width() for bar in axis.patches] == [2, 0, 0, 1, 0, 0]
    assert [bar.get_x() for bar in axis.patches] == [0, 2, 2, 2, 3, 3]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    names = ["reproduced (2)", "partly (0)", "smaller than published (0)", "contradicted (1)", "cannot tell (0)"]
    assert legend == [*names, "not testable here (0)"]


def test_the_cone_is_of_models_that_were_measured_trained_and_with_first_weights(tmp_path, monkeypatch, condensation):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    rng = np.random.default_rng(0)
    parts = gathered([rng.normal(size=(len(condensation.mu) + 1, 8, 4)) for _ in range(len(condensation.mu_per_text))])
    whole, made = replace(condensation, controls=parts), []
    models = [("gemma-3-270m", "pretrained"), ("gemma-3-270m", "random"), ("gpt2", "pretrained")]
    models += [(name, weights) for name in ("pocket-small", "all-minilm-l6-v2") for weights in ("pretrained", "random")]
    for model, weights in models:
        config = {"model": model, "weights": weights, "controls": True, "seed": 0}
        made.append(records.run("condensation", config, lambda: ({}, whole.to_bytes())).path.name)
    figure = overview.cone(page("30_cone_what_it_is_made_of", REPRODUCED, records=made), tmp_path)
    assert figure.get_size_inches()[0] == 6.9
    for axis in figure.axes:
        within, between = axis.lines
        np.testing.assert_allclose(within.get_ydata(), parts["within"])
        np.testing.assert_allclose(between.get_ydata(), parts["between"])
        assert [within.get_linestyle(), between.get_linestyle()] == ["-", "--"]
    said = [text.get_text() for text in figure.axes[1].texts]
    assert said == ["gemma-3-270m", "solid: of one text", "dashed: of two texts"]


def test_without_a_measurement_the_picture_says_so(tmp_path):
    assert overview.cone(page("30_cone_x", REPRODUCED), tmp_path).axes


def test_a_picture_tells_which_verdicts_it_shows(tmp_path):
    committed = page("05_fig3_mlp_width", REPRODUCED)
    for path in overview.save(committed, tmp_path, tmp_path):
        assert Image.open(path).text["Description"] == overview.shown(committed)
    assert overview.shown(page("05_fig3_mlp_width", CONTRADICTED)) != overview.shown(committed)


@pytest.mark.parametrize("picture", [overview.PICTURE, overview.CONE])
def test_the_committed_pictures_show_the_committed_run(picture):
    """If not: `decondense keep` draws them."""
    shown = Image.open(COMMITTED / picture).text["Description"]
    assert shown == overview.shown(scorecard.read_committed(COMMITTED))


def test_keep_draws_it(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    made = tmp_path / "build" / "ci" / "records"
    for folder in (made, tmp_path / "notebooks", tmp_path / "book"):
        folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (made / "verdicts-fig3.json").write_text(json.dumps(page("05_fig3_mlp_width", REPRODUCED)["05_fig3_mlp_width"]))
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["keep", "--profile", "ci"], catch_exceptions=False, env={"COLUMNS": "200"})
    assert "1 files, overview.png and cone.png in" in said.output
    kept = tmp_path / "book" / "results"
    committed = scorecard.read_committed(kept)
    assert list(committed) == ["05_fig3_mlp_width"]
    assert Image.open(kept / overview.PICTURE).text["Description"] == overview.shown(committed)
