"""Fig. S2: the trend over size, text by text."""

import numpy as np
import pytest
from looked_at import looked_at
from made_condensations import made
from made_runs import of_family

from decondense.chapters import figS2
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED

UP, DOWN = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]
SMALL, LARGE = made([UP, UP], "gpt2"), made([DOWN, DOWN], "gpt2-xl")


def trained(here, imdb):
    """Two sizes, three seeds; each argument has the profile of either size on a text."""
    return of_family({f"{n} wide": [{"here": here[n], "imdb": imdb[n]}] * 3 for n in (0, 1)})


BOTH = trained((UP, DOWN), (UP, DOWN))


def test_rho_has_a_row_a_model_and_a_column_a_text():
    table = figS2.rho({"bible": [SMALL, LARGE], "imdb": [made([DOWN], "gpt2"), made([UP], "gpt2-xl")]})
    assert table.loc["gpt2"].tolist() == pytest.approx([1, -1])
    assert table.columns.tolist() == ["bible", "imdb"]
    assert figS2.with_spread(table).spread.tolist() == pytest.approx([2, 2])


def test_rho_of_the_sizes_trained_here_is_a_mean_over_seeds():
    table = figS2.trained_rho(trained((UP, DOWN), (DOWN, DOWN)))
    assert table.loc["0 wide"].tolist() == pytest.approx([1, -1])
    assert table.index.tolist() == ["0 wide", "1 wide"]


def test_published_values_are_of_four_sizes_on_four_data_sets():
    table = figS2.published()
    assert table.index.tolist() == ["GPT2", "GPT2-medium", "GPT2-large", "GPT2-xl"]
    assert table.squad["GPT2-xl"] == pytest.approx(-0.73, abs=0.005)
    assert figS2.with_spread(table).spread["GPT2-large"] == pytest.approx(0.89, abs=0.005)


def test_trends_are_beside_the_published_ones_of_their_data_set():
    table = figS2.trends(BOTH)
    assert table.loc[("imdb", "Spearman ρ"), "published"] == pytest.approx(-0.5721 - 0.3248)
    assert table.loc[("here", "Spearman ρ"), "published"] == pytest.approx(-0.5911 - 0.3857)  # wikitext-103
    np.testing.assert_allclose(table.xs("Spearman ρ", level=1).difference, [-2, -2])


def test_published_falls_differ_between_data_sets():
    spread, said = figS2.spread_of_falls("rho")
    assert spread == pytest.approx((-0.7322 - 0.0178) - (-0.5703 - 0.5069))
    assert said == "wikitext-103 -0.98; pubmed_qa -1.08; imdb -0.90; squad -0.75"


def test_families_are_those_of_two_sizes():
    found = figS2.families({"imdb": [SMALL, LARGE, made([UP], "smollm2-135m-instruct")]})
    assert {name: {text: len(of) for text, of in members.items()} for name, members in found.items()} == {
        "GPT2": {"imdb": 2}
    }


def words(claims):
    return {claim.claim.split(": ")[1].replace("on every text, the larger the model, the", "all"): claim.verdict.word
            for claim in claims}  # fmt: skip


def test_an_item_a_text_for_the_trend_and_one_for_each_other_text():
    found = figS2.claims(BOTH, {})
    assert words(found) == {
        "all lower Spearman ρ": REPRODUCED,
        "size changes Spearman ρ on other texts as much as on here": REPRODUCED,
        "all lower Kendall τ": REPRODUCED,
        "size changes Kendall τ on other texts as much as on here": REPRODUCED,
        "all lower late-half μ": REPRODUCED,
    }
    assert found[0].here == "here -2.00 [-2.00, -2.00]; imdb -2.00 [-2.00, -2.00]"
    assert found[0].published == (
        "published, GPT2 to GPT2-xl on wikitext-103: -0.98; published, GPT2 to GPT2-xl on imdb: -0.90"
    )
    assert [bool(claim.repeats) for claim in found] == [False, False, True, True, False]


def test_a_trend_on_one_text_only_is_partly_reproduced_and_not_the_same():
    found = words(figS2.claims(trained((UP, DOWN), (DOWN, UP)), {}))
    assert found["all lower Spearman ρ"] == PARTLY
    assert found["size changes Spearman ρ on other texts as much as on here"] == CONTRADICTED


def test_a_family_of_fixed_models_is_judged_over_its_texts():
    found = figS2.claims(BOTH, {"imdb": [SMALL, LARGE], "squad": [SMALL, LARGE]})[5:]
    assert [claim.claim.split(":")[0] for claim in found] == ["GPT2"] * 4
    assert [claim.verdict.word for claim in found] == [REPRODUCED] * 4
    assert found[0].published == "published, GPT2 to GPT2-xl on imdb: -0.90; published, GPT2 to GPT2-xl on squad: -0.75"
    still = figS2.claims(BOTH, {"imdb": [SMALL, SMALL], "squad": [SMALL, SMALL]})[5]
    assert still.verdict.word == CANNOT_TELL  # nothing moved


# --- figures ----------------------------------------------------------------------------------------------------------


def test_over_models_has_a_sign_for_every_model_and_text():
    by_text = {text: [SMALL, LARGE, made([UP], "smollm2-135m-instruct")] for text in ("here", "bible")}
    figure = looked_at(figS2.over_models(BOTH, by_text))
    (axis,) = figure.axes
    said = [tick.get_text() for tick in axis.get_xticklabels()]
    sizes = ["GPT2", "GPT2-medium", "GPT2-large", "GPT2-xl"]
    assert said == [*sizes, "0 wide", "1 wide", "GPT2", "GPT2-xl", "SmolLM2-135M"]
    assert [text.get_text() for text in axis.texts] == ["published", "trained here", "pretrained"]
    points = {label: [] for label in (line.get_label() for line in axis.lines)}
    for line in axis.lines:
        points[line.get_label()] += np.asarray(line.get_ydata(), float).tolist()
    np.testing.assert_allclose(points["published, squad"], figS2.published().squad)
    assert points["here, here"] == pytest.approx([1, -1, 1, -1, 1])  # two sizes trained here, three pretrained
    assert points["here, imdb"] == pytest.approx([1, -1])
    assert points["here, bible"] == pytest.approx([1, -1, 1])
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [*(f"published, {name}" for name in figS2.DATASETS), "here, here", "here, imdb", "here, bible"]


def test_over_models_without_a_pretrained_one_has_two_groups():
    (axis,) = looked_at(figS2.over_models(BOTH, {"imdb": []})).axes
    assert [text.get_text() for text in axis.texts] == ["published", "trained here"]


def test_changes_have_a_panel_a_number_and_a_row_a_text():
    table = figS2.trends(BOTH)
    figure = looked_at(figS2.changes(table))
    assert [axis.get_title() for axis in figure.axes] == [
        "change of Spearman ρ",
        "change of Kendall τ",
        "change of late-half μ",
    ]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["here", "imdb"]
    rho = {line.get_label()[:4]: line.get_xdata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(rho["here"], [-2, -2])
    np.testing.assert_allclose(rho["publ"], table.xs("Spearman ρ", level=1).published)
