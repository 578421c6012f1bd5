"""rho and tau over the sizes of a family: judged beside the published ones."""

from dataclasses import replace

import pytest

from decondense import metrics, models, paper
from decondense.paper import trends
from decondense.paper.claims import judged
from decondense.paper.verdicts import CONTRADICTED, REPRODUCED


@pytest.fixture
def falling(condensation):
    return replace(condensation, name="large", mu_per_text=condensation.mu_per_text[:, ::-1].copy())


def test_size_claims_judge_rho_and_tau_beside_the_published_family(condensation, falling):
    rho, tau = judged(trends.size_claims("Toy", [condensation, falling], "Fig. 2b", "GPT2"))
    assert rho.here == "1.00 [1.00, 1.00] → -1.00 [-1.00, -1.00]"
    assert rho.published == "GPT2 on wikitext-103: 0.39 → -0.07 → 0.12 → -0.59, each ± 0.004"
    assert rho.claim == "Toy: the larger the model, the lower Spearman ρ (largest - smallest)"
    assert (rho.verdict.word, tau.verdict.word) == (REPRODUCED, REPRODUCED)
    assert (rho.repeats, bool(tau.repeats)) == ("", True)
    back = judged(trends.size_claims("Toy", [falling, condensation], "Fig. 2b", "GPT2"))
    assert [c.verdict.word for c in back] == [CONTRADICTED] * 2


def test_what_else_may_have_moved_the_difference_widens_its_interval(condensation, falling):
    members, moved = [condensation, falling], {"rho": 2.5}
    rho, tau = trends.size_claims("Toy", members, "Fig. 2b", "GPT2", systematic=moved)
    assert (rho.verdict[0].estimate.systematic, tau.verdict[0].estimate.systematic) == (2.5, 0.0)


def test_steps_that_rise_are_counted(condensation, falling):
    rho, _ = trends.size_claims("Toy", [condensation, falling, condensation], "Fig. 2b", "GPT2")
    assert rho.rule == "1 of 2 steps between neighbours rise beyond their interval"


@pytest.mark.parametrize(
    ("family", "first", "last", "steps", "number", "reason"),
    [
        ("GPT2", "GPT2", "GPT2-xl", 3, -0.5896 - 0.3853, "published, GPT2 to GPT2-xl on wikitext-103"),
        ("GPT2", "GPT2", "GPT2-medium", 1, -0.0704 - 0.3853, "published, GPT2 to GPT2-medium on wikitext-103"),
        (  # the published values rise from the smallest to the next
            "Qwen2.5", "Qwen2.5-0.5B", "Qwen2.5-1.5B", 1, (-0.2363 - 0.951) / 6,
            "published, the mean step of Qwen2.5 on wikitext-103; the published values of Qwen2.5-0.5B and "
            "Qwen2.5-1.5B rise by 0.04",
        ),
        ("GPT2", None, None, 2, -2 * 0.9749 / 3, "published, the mean step of GPT2 on wikitext-103, times 2"),
    ],
)  # fmt: skip
def test_smallest_fall_is_between_the_same_models_or_a_mean_step(family, first, last, steps, number, reason):
    found = trends.smallest_fall("rho", "Fig. 2b", family, "wikitext-103", first, last, steps)
    assert found == (pytest.approx(number), reason)


def test_a_test_takes_the_published_models_of_its_own(condensation, falling):
    named = [replace(condensation, name="gpt2"), replace(falling, name="gpt2-medium")]
    test = trends.size_test("rho", named, "Fig. S2", "GPT2", "squad")
    assert test.number == pytest.approx(-0.5266 - 0.0178)
    alike = trends.size_test("rho", named, "Fig. 2b", "Qwen2.5", alike=("Qwen2.5-1.5B", "Qwen2.5-3B"))
    assert alike.number == pytest.approx(0.8708 - 0.9901)


def test_published_numbers_are_those_of_the_csv():
    assert trends.published_fall("Fig. 2b", "rho", "Bloom") == pytest.approx(-0.4284 - 1.0)
    assert trends.published_fall("Fig. S2", "tau", "GPT2", "squad") == pytest.approx(-0.63 + 0.0759)
    last = trends.published_means(lambda mu: mu[-1])
    assert last == (pytest.approx(0.9022), pytest.approx(0.26))
    small, large = trends.published_means(trends.LATE_HALF)
    assert large - small == pytest.approx(-0.187, abs=5e-4)


def test_a_metric_is_known_by_its_symbol():
    assert trends.metric_of("Kendall τ") == "tau"
    assert trends.metric_of("last half") is None
    assert trends.METRICS["rho"][2] is metrics.spearman


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
