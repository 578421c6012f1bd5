"""Fig. S2: the order of the models, text by text."""

import pytest
from made_condensations import made

from decondense.chapters import figS2
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED

SMALL = made([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]], "small")
LARGE = made([[0.3, 0.2, 0.1], [0.4, 0.3, 0.2]], "large")
SWAPPED = made(LARGE.mu_per_text, "small"), made(SMALL.mu_per_text, "large")


def test_rho_has_a_row_a_model_and_a_column_a_text():
    table = figS2.rho({"bible": [SMALL, LARGE], "imdb": list(SWAPPED)})
    assert table.loc["small"].tolist() == pytest.approx([1, -1])
    assert table.columns.tolist() == ["bible", "imdb"]
    assert figS2.with_spread(table).spread.tolist() == pytest.approx([2, 2])


def test_published_values_are_of_four_sizes_on_four_data_sets():
    table = figS2.published()
    assert table.index.tolist() == ["GPT2", "GPT2-medium", "GPT2-large", "GPT2-xl"]
    assert table.squad["GPT2-xl"] == pytest.approx(-0.73, abs=0.005)
    assert figS2.with_spread(table).spread["GPT2-large"] == pytest.approx(0.89, abs=0.005)


def test_order_claim_puts_the_published_figure_under_the_same_rule():
    same = figS2.order_claim({"bible": [SMALL, LARGE], "imdb": [SMALL, LARGE]})
    assert same.published == (
        "smallest agreement of two texts on the order of 4 models: tau-b 0.33 (by this rule: not reproduced)"
    )
    assert (same.here, same.verdict.word) == ("2 sizes, 2 texts", REPRODUCED)
    other = figS2.order_claim({"bible": [SMALL, LARGE], "imdb": list(SWAPPED)})
    assert other.verdict.word == NOT_REPRODUCED
    assert figS2.order_claim({}).verdict.word == NOT_TESTABLE


def test_each_text_has_its_trend_beside_the_published_one():
    first, *trends = figS2.claims({"imdb": [SMALL, LARGE], "bible": list(SWAPPED)})
    assert first.claim.startswith("strict reading")
    assert [c.claim.split(":")[0] for c in trends] == ["small to large on imdb"] * 2 + ["small to large on bible"] * 2
    assert [c.published.split(":")[0] for c in trends[::2]] == ["GPT2 on imdb", "GPT2 on wikitext-103"]
    assert [c.verdict.word for c in trends] == [REPRODUCED] * 2 + [NOT_REPRODUCED] * 2
    assert {c.source for c in [first, *trends]} == {"Fig. S2"}
