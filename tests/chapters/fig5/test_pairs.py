"""The pairs exist, and the published ones are the figure's."""

import pytest
from made_students import result

from decondense import models
from decondense.chapters.fig5.pairs import PAIRS, measured, published


def test_pairs_are_of_known_models():
    assert [pair.plain for pair in PAIRS[:2]] == models.names("not distilled")
    assert [pair.distilled for pair in PAIRS] == models.names("distilled")
    assert all(models.table()[pair.plain]["hub"].startswith("Qwen/Qwen2.5-") for pair in PAIRS)


def test_published_is_the_figure():
    table = published().set_index(["metric", "size"])
    assert len(table) == 8
    last = table.loc[("Spearman ρ", "32B")]
    assert (last["not distilled"], last["distilled"]) == (0.1195, 0.3505)
    assert last["difference"] == pytest.approx(0.231)
    assert (table["error"] == 0.004).all()
    assert (table["difference"] < 0).sum() == 3  # rho of 7B, tau of 1.5B and 7B


def test_a_pair_is_measured_when_both_of_its_models_are(condensation):
    first, second = PAIRS[:2]
    results = [result(condensation, name, 0.0) for name in (first.plain, "gpt2", first.distilled, second.plain)]
    assert {size: [model.name for model in pair] for size, pair in measured(results).items()} == {
        "1.5B": [first.plain, first.distilled]
    }
