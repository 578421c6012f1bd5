"""rho and tau over the sizes of a family: judged, and the published ones under the same rule."""

from dataclasses import replace

from decondense import models, paper
from decondense.paper import trends
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED


def test_size_claims_judge_rho_and_tau(condensation):
    falling = replace(condensation, name="large", mu_per_text=condensation.mu_per_text[:, ::-1].copy())
    published = {"rho": "0.4 → -0.6", "tau": "0.3 → -0.5"}
    rho, tau = trends.size_claims("Toy", [condensation, falling], "Fig. 2b", published)
    assert rho.here == "1.00 [1.00, 1.00] → -1.00 [-1.00, -1.00]"
    assert (rho.verdict.word, tau.verdict.word) == (REPRODUCED, REPRODUCED)
    assert (rho.published, tau.published) == ("0.4 → -0.6", "0.3 → -0.5")
    assert (rho.claim, tau.claim) == tuple(
        f"Toy: the larger the model, the lower {symbol}" for symbol in ("Spearman ρ", "Kendall τ")
    )
    back = trends.size_claims("Toy", [falling, condensation], "Fig. 2b", published)
    assert [c.verdict.word for c in back] == [NOT_REPRODUCED] * 2


def test_published_trend_is_put_under_the_rule_with_the_errors_of_reading():
    found = trends.published_trend("Fig2", "GPT2")
    assert found["rho"].startswith("GPT2 on wikitext-103: 0.39 → -0.07 → 0.12 → -0.59, each ± 0.004")
    assert found["rho"].endswith("(by this rule: partly)")  # GPT2-large lies above GPT2-medium
    falling = trends.published_trend("Fig2", "Bloom")["rho"]
    assert falling.endswith("(by this rule: reproduced)")  # 1.000 ± 0.004 and 0.995 ± 0.002 touch: no rise


def test_names_in_the_paper_are_those_of_its_figure():
    shown = set(paper.table("figure_points").model)
    names = [entry["in_paper"] for entry in models.table().values() if "in_paper" in entry]
    assert len(names) == len(set(names))
    assert set(names) <= shown
    for family in trends.PAPER_FAMILIES:
        ours = [trends.paper_name(name) for name in models.names(family)]
        assert ours == list(paper.trend("Fig2", "spearman", family).model)
    assert trends.paper_name("smollm2-135m-instruct") is None
    assert trends.paper_name("no-such-model") is None
