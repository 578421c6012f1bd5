"""Fig. 2: tables and claims on families made up here."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at
from made_condensations import made
from made_runs import NO_CHECK, of_family
from matplotlib.colors import to_rgb

from decondense import models, paper
from decondense.chapters import fig2
from decondense.paper.claims import judged
from decondense.paper.trends import PAPER_FAMILIES
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.plots import GREY
from decondense.records import Record
from decondense.surveys import Measured, Survey

RISING = [[0.1, 0.2, 0.3, 0.4], [0.1, 0.3, 0.4, 0.5]]
FALLING = [row[::-1] for row in RISING]
RUNS = of_family({f"{n} wide": [{"here": mu[0]}] * 2 for n, mu in enumerate([RISING, FALLING])}, validation_loss=5.0)


def member(name, mu, source="here"):
    record = Record(Path(f"{name}.json"), {"results": {"model": {"source": source}}}, None)
    return Measured(made(mu, name), record)


def survey(**families):
    return Survey(families, {})


def found_of(pretrained, again=None, dataset="wikitext-2", **how):
    """The claims of the page by the beginning of their text."""
    claims = fig2.claims(RUNS, NO_CHECK, pretrained, again or pretrained, dataset, **how)
    return {claim.claim: claim for claim in claims}


def test_untrained_families_come_last_under_a_name_of_their_own():
    gpt2 = [member("gpt2", RISING)]
    found = fig2.families(survey(GPT2=gpt2), survey(GPT2=[]))
    assert list(found) == ["GPT2", "GPT2, untrained"]
    assert found["GPT2"] == gpt2


def test_table_has_a_row_a_model_with_its_weights():
    table = fig2.table({"A": [member("small", RISING, "a wheel"), member("large", FALLING)], "B": []})
    assert table.model.tolist() == ["small", "large"]
    assert table.iloc[0].tolist()[2:] == [4, "1.00 [1.00, 1.00]", "1.00 [1.00, 1.00]", pytest.approx(0.45), "a wheel"]
    assert table["ρ"][1] == "-1.00 [-1.00, -1.00]"


def test_trained_table_has_a_row_a_size_with_mean_and_spread():
    table = fig2.trained_table(RUNS)
    assert table.loc["0 wide"].tolist() == [f"{x} ± 0" for x in ("5.00", "1.00", "1.00", "0.35")]
    assert table.columns.tolist() == ["validation loss", "Spearman ρ", "Kendall τ", "late-half μ"]


def test_apart_is_the_distance_of_two_sets_of_texts():
    table = fig2.apart([made(RISING, "a")], [made(FALLING, "a")])
    assert table.loc["a", "ρ"].tolist() == pytest.approx([1, -1, 2])
    assert table.loc["a", "τ"].tolist() == pytest.approx([1, -1, 2])


def test_sizes_trained_here_come_first_and_figure_s3_counts_the_level():
    first = fig2.claims(RUNS, NO_CHECK, survey(), survey(), "wikitext-2")[:3]
    assert [claim.claim.split("lower ")[1] for claim in first] == ["Spearman ρ", "Kendall τ", "late-half μ"]
    assert [claim.source for claim in first] == ["Fig. 2b, S1", "Fig. 2b, S1", "Fig. 2a"]
    assert [claim.verdict.word for claim in first] == [REPRODUCED] * 3
    assert [bool(claim.repeats) for claim in first] == [False, True, True]


def test_pretrained_families_of_two_sizes_go_beside_the_published_ones():
    pretrained = survey(
        Bloom=[member("bloom-560m", RISING), member("bloom-1b1", FALLING)],
        Other=[member("a", FALLING), member("b", RISING)],
        Qwen3=[member("qwen3-0.6b", RISING)],
    )
    claims = [claim for text, claim in found_of(pretrained).items() if "(largest - smallest)" in text]
    assert [claim.claim.split(":")[0] for claim in claims] == ["Bloom", "Bloom", "Other", "Other"]
    assert [claim.verdict.word for claim in claims] == [REPRODUCED] * 2 + [CONTRADICTED] * 2
    assert claims[0].rule.startswith("smallest effect that counts -0.0054: published, Bloom-0.56B to Bloom-1.1B")
    assert claims[2].published.startswith("GPT2 on wikitext-103")


def test_two_sizes_of_the_coder_go_beside_those_of_its_family_and_their_precision_counts():
    sizes = [member(f"qwen2.5-coder-{size}-instruct", mu) for size, mu in (("0.5b", RISING), ("1.5b", FALLING))]
    pretrained = Survey({"Qwen2.5-Coder": sizes}, {})
    name = "Qwen2.5-Coder: the larger the model, the lower Spearman ρ (largest - smallest)"
    claim = found_of(pretrained)[name]
    assert claim.verdict.word == REPRODUCED
    assert "the published values of Qwen2.5-0.5B and Qwen2.5-1.5B rise by 0.04" in claim.rule
    assert found_of(pretrained, systematic={"rho": 2.1, "tau": 0.0})[name].verdict.word == CANNOT_TELL


def test_the_papers_families_that_are_not_measured_have_a_row_each():
    rows = fig2.missing_claims(["Bloom"])
    assert [row.claim.split(":")[0] for row in rows] == ["GPT2", "Qwen2.5", "Qwen3", "Qwen1"]
    assert {row.verdict.word for row in rows} == {NOT_TESTABLE}
    assert rows[-1].source == "Fig. S1"
    assert "code of its own" in rows[-1].verdict.why


def test_without_pretrained_models_their_claims_are_not_testable():
    found = found_of(survey(), dataset="documentation")
    words = [claim.verdict.word for claim in found.values()]
    assert words == [REPRODUCED] * 3 + [NOT_TESTABLE] * 10 + [REPRODUCED]
    assert found["values of Spearman ρ on wikitext-103"].here == "none of them"


def test_value_claims_compare_only_what_the_paper_shows(condensation):
    measured = [replace(condensation, name="bloom-560m"), replace(condensation, name="smollm2-135m-instruct")]
    rho, tau = fig2.value_claims(measured, "wikitext-103")
    assert (rho.published, rho.here) == ("Bloom-0.56B 1.000 ± 0.004", "bloom-560m 1.00 [1.00, 1.00]")
    assert (rho.verdict.word, tau.verdict.word) == (REPRODUCED, REPRODUCED)
    lower = fig2.value_claims([replace(condensation, name="gpt2")], "wikitext-103")  # 1 - 0.385 is not within 0.1
    assert [claim.verdict.word for claim in lower] == [CONTRADICTED] * 2
    for results, dataset in ((measured[1:], "wikitext-103"), (measured, "bible")):
        none = fig2.value_claims(results, dataset)
        assert [(c.here, c.verdict.word) for c in none] == [("none of them", NOT_TESTABLE)] * 2


def test_depth_claim_has_an_item_a_family_and_says_what_is_missing():
    pretrained = Survey({"A": [member("a", RISING), member("a2", FALLING)], "B": [member("b", RISING)]}, {})
    (claim,) = judged([fig2.depth_claim(pretrained)])
    assert claim.published.startswith("GPT2 0.385 ± 0.002; Qwen2.5-0.5B ")
    assert (claim.here, claim.verdict.word) == ("a 1.00 [1.00, 1.00]; b 1.00 [1.00, 1.00]", REPRODUCED)
    assert claim.rule == "smallest effect that counts +0.385: the lowest published of the smallest models, GPT2"
    mixed = Survey({"A": [member("a", FALLING)], "B": [member("b", RISING)]}, {"gemma-3-270m": "no consent"})
    (claim,) = judged([fig2.depth_claim(mixed)])
    assert claim.verdict.word == PARTLY
    assert claim.here.endswith("gemma-3-270m: not measured (no consent)")


def test_repeat_claims_judge_the_difference_of_two_sets_of_texts():
    rng = np.random.default_rng(0)
    sets = [made(np.arange(6) / 10 + rng.uniform(0, 0.01, (8, 6)), "a") for _ in range(2)]
    falling = [made(sets[0].mu_per_text[:, ::-1], "a")]
    same, _ = judged(fig2.repeat_claims(sets[:1], sets[1:]))
    assert (same.here, same.verdict.word) == ("a 0.00 [0.00, 0.00]", REPRODUCED)
    assert same.rule == "within ±0.1: about a tenth of the smallest published fall with size, -0.97"
    other = judged(fig2.repeat_claims(sets[:1], falling))
    assert [claim.verdict.word for claim in other] == [CONTRADICTED] * 2
    assert other[0].here == "a -2.00 [-2.00, -2.00]"


# --- figure -----------------------------------------------------------------------------------------------------------


def placed(name, mu, weights="pretrained", parameters=1):
    record = Record(Path(f"{name}.json"), {"config": {"weights": weights}}, None)
    return Measured(made(mu, name, model={"parameters": parameters}), record)


def test_over_size_has_every_published_point_grey_and_ours_in_colour():
    groups = {
        "Qwen2.5-Coder": [
            placed("qwen2.5-coder-0.5b-instruct", RISING),
            placed("mine", FALLING, parameters=700_000_000),
        ]
    }
    groups["GPT2, untrained"] = [placed("gpt2", RISING, "random")]
    figure = looked_at(fig2.over_size(groups))
    (axis,) = figure.axes
    published = [line for line in axis.lines if line.get_label() == "published"]
    assert {to_rgb(line.get_color()) for line in published} == {to_rgb(GREY)}
    for line, name in zip(published, PAPER_FAMILIES, strict=True):
        np.testing.assert_allclose(line.get_ydata(), paper.trend("Fig2", "spearman", name).value)
    assert published[0].get_xdata()[0] == models.table()["gpt2"]["parameters"]
    assert [text.get_text() for text in axis.texts] == list(PAPER_FAMILIES)
    ours = {line.get_label(): line for line in axis.lines if line.get_label() in groups}
    assert ours["Qwen2.5-Coder"].get_xdata().tolist() == [494_032_768, 7e8]
    assert ours["Qwen2.5-Coder"].get_ydata().tolist() == pytest.approx([1, -1])
    assert [ours[name].get_fillstyle() for name in groups] == ["full", "none"]
    assert (axis.get_xscale(), axis.get_ylim()) == ("log", (-1.08, 1.08))
    assert plt.get_fignums() == []


@pytest.mark.parametrize("parameters", [200_000, 300_000_000])
def test_over_size_has_room_for_the_smallest_model(parameters):
    (axis,) = fig2.over_size({"pocket": [placed("tiny", RISING, parameters=parameters)]}).axes
    assert axis.get_xlim()[0] == pytest.approx(0.8 * min(parameters, 1e8))
