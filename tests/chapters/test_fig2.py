"""Fig. 2: tables and claims on families made up here."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_condensations import made

from decondense.chapters import fig2
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED
from decondense.records import Record
from decondense.surveys import Measured, Survey

RISING = [[0.1, 0.2, 0.3, 0.4], [0.1, 0.3, 0.4, 0.5]]
FALLING = [row[::-1] for row in RISING]


def member(name, mu, source="here"):
    record = Record(Path(f"{name}.json"), {"results": {"model": {"source": source}}}, None)
    return Measured(made(mu, name), record)


def survey(**families):
    return Survey(families, {})


def test_untrained_families_come_last_under_a_name_of_their_own():
    gpt2 = [member("gpt2", RISING)]
    found = fig2.families(survey(GPT2=gpt2), survey(pocket=[]), survey(GPT2=[]))
    assert list(found) == ["GPT2", "pocket", "GPT2, untrained"]
    assert found["GPT2"] == gpt2


def test_table_has_a_row_a_model_with_its_weights():
    table = fig2.table({"A": [member("small", RISING, "a wheel"), member("large", FALLING)], "B": []})
    assert table.model.tolist() == ["small", "large"]
    assert table.iloc[0].tolist()[2:] == [4, "1.00 [1.00, 1.00]", "1.00 [1.00, 1.00]", pytest.approx(0.45), "a wheel"]
    assert table["ρ"][1] == "-1.00 [-1.00, -1.00]"


def test_apart_is_the_distance_of_two_sets_of_texts():
    table = fig2.apart([made(RISING, "a")], [made(FALLING, "a")])
    assert table.loc["a", "ρ"].tolist() == pytest.approx([1, -1, 2])
    assert table.loc["a", "τ"].tolist() == pytest.approx([1, -1, 2])


def test_claims_are_on_families_of_two_sizes_or_more_and_go_beside_the_published_ones():
    pretrained = survey(
        Bloom=[member("bloom-560m", RISING), member("bloom-1b1", FALLING)],
        Other=[member("a", FALLING), member("b", RISING)],
        Qwen3=[member("qwen3-0.6b", RISING)],
    )
    trained = survey(pocket=[member("pocket-small", RISING), member("pocket-xl", RISING)])
    found = fig2.claims(pretrained, trained, pretrained, "wikitext-2")
    names = [claim.claim.split(":")[0] for claim in found[:6]]
    assert names == ["Bloom", "Bloom", "Other", "Other", "pocket", "pocket"]
    verdicts = [claim.verdict.word for claim in found[:6]]
    assert verdicts == [REPRODUCED] * 2 + [NOT_REPRODUCED] * 4
    published = [claim.published.split(":")[0] for claim in found[:6:2]]
    assert published == ["Bloom on wikitext-103", "not in the paper", "GPT2 on wikitext-103"]
    assert {claim.source for claim in found[:6]} == {"Fig. 2b, S1"}
    depth = found[8]
    assert depth.here.split("; ")[1] == "a -1.00 [-1.00, -1.00]"  # of each family its smallest
    assert [claim.claim for claim in found[9:]] == [
        "Spearman ρ is the same on other texts of the corpus",
        "Kendall τ is the same on other texts of the corpus",
    ]


def test_without_pretrained_models_their_claims_are_not_testable():
    trained = survey(pocket=[member("pocket-small", RISING), member("pocket-xl", FALLING)])
    found = fig2.claims(survey(), trained, survey(), "documentation")
    assert [claim.verdict.word for claim in found] == [REPRODUCED] * 2 + [NOT_TESTABLE] * 5
    assert [claim.here for claim in found[2:]] == ["none of them"] * 2 + ["none"] * 3


def test_value_claims_compare_only_what_the_paper_shows(condensation):
    measured = [replace(condensation, name="gpt2"), replace(condensation, name="smollm2-135m-instruct")]
    rho, tau = fig2.value_claims(measured, "wikitext-103", tolerance=0.7)
    assert (rho.published, rho.here) == ("GPT2 0.385 ± 0.002", "gpt2 1.00 [1.00, 1.00]")
    assert rho.verdict.word == REPRODUCED  # 1 - 0.385 is within 0.7
    assert tau.verdict.word == NOT_REPRODUCED  # 1 - 0.257 is not
    none = fig2.value_claims(measured[1:], "wikitext-103")
    assert [(c.here, c.verdict.word) for c in none] == [("none of them", NOT_TESTABLE)] * 2


def test_values_on_a_text_that_the_paper_does_not_show_are_not_testable(condensation):
    found = fig2.value_claims([replace(condensation, name="gpt2")], "bible")
    assert {c.verdict for c in found} == {(NOT_TESTABLE, "the paper gives no values for this text")}


def test_depth_claim_stands_beside_the_smallest_published_models():
    claim = fig2.depth_claim([made(RISING, "small")])
    assert claim.published.startswith("GPT2 0.385 ± 0.002; Qwen2.5-0.5B ")
    assert (claim.here, claim.verdict.word) == ("small 1.00 [1.00, 1.00]", REPRODUCED)
    assert fig2.depth_claim([made(FALLING)]).verdict.word == NOT_REPRODUCED
    assert fig2.depth_claim([]).verdict.word == NOT_TESTABLE


def test_repeat_claims_judge_the_difference_of_two_sets_of_texts():
    rising, falling = [made(RISING)], [made(FALLING)]
    assert [c.verdict.word for c in fig2.repeat_claims(rising, rising)] == [REPRODUCED] * 2
    assert [c.verdict.word for c in fig2.repeat_claims(rising, falling)] == [NOT_REPRODUCED] * 2
    assert fig2.repeat_claims(rising, falling)[0].here == "1.000 and -1.000"
