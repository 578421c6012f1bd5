"""Fig. 5 as data and as claims: the pairs exist, the rule has a case for every verdict."""

from dataclasses import replace

import numpy as np
import pytest

from decondense import distillation_claims, models
from decondense.condensation import Interval
from decondense.distillation_claims import PAIRS, not_lower, pair_claims, profile_distance, published
from decondense.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED

NAN = float("nan")


@pytest.mark.parametrize(
    ("differences", "verdict", "why"),
    [
        ([(-0.02, 0.1), (0.1, 0.2)], REPRODUCED, "of 2 differences 0 below 0 beyond the uncertainty, 0 too uncertain"),
        ([(0.0, 0.0)], REPRODUCED, "0 below"),
        ([(-0.1, 0.0)], REPRODUCED, "0 below"),
        ([(-0.02, -0.01), (0.1, 0.2)], PARTLY, "1 below"),
        ([(-0.3, 0.3), (0.1, 0.2)], PARTLY, "0 below 0 beyond the uncertainty, 1 too uncertain"),
        ([(-0.02, -0.01), (-0.2, -0.1), (0.1, 0.2)], NOT_REPRODUCED, "2 below"),
        ([(-0.02, -0.01)], NOT_REPRODUCED, "1 below"),
        ([(-0.3, 0.3), (-0.2, 0.0)], NOT_TESTABLE, "2 too uncertain"),
        ([(NAN, NAN), (0.1, 0.2)], NOT_TESTABLE, "no interval"),
        ([], NOT_TESTABLE, "cannot be had"),
    ],
)
def test_not_lower(differences, verdict, why):
    found = not_lower([Interval(*each) for each in differences])
    assert found.verdict == verdict
    assert why in found.why


@pytest.mark.parametrize(
    ("difference", "verdict", "why"),
    [
        ((-0.2, -0.1), REPRODUCED, "below 0"),
        ((-0.2, 0.0), NOT_REPRODUCED, "includes 0"),
        ((0.0, 0.2), NOT_REPRODUCED, "includes 0"),
        ((0.1, 0.2), NOT_REPRODUCED, "above 0"),
        ((NAN, NAN), NOT_TESTABLE, "two seeds"),
    ],
)
def test_lower(difference, verdict, why):
    found = distillation_claims.lower(Interval(*difference))
    assert found.verdict == verdict
    assert why in found.why


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


def result(condensation, name, shift):
    """The toy result under another name, with mu of the last entry moved."""
    mu = condensation.mu_per_text.copy()
    mu[:, -1] += shift
    return replace(condensation, name=name, mu_per_text=mu)


def test_pair_claims_are_of_the_pairs_that_were_measured(condensation):
    first, second = PAIRS[:2]
    results = [result(condensation, first.plain, 0.0), result(condensation, first.distilled, -1.0)]
    results += [result(condensation, second.plain, 0.0), result(condensation, "gpt2", 0.0)]
    assert list(distillation_claims.measured(results)) == ["1.5B"]
    for claim in pair_claims(results):
        assert claim.verdict == NOT_REPRODUCED
        assert claim.here.startswith("1.5B [-")
    same = [result(condensation, name, 0.0) for name in (second.plain, second.distilled)]
    assert {claim.verdict for claim in pair_claims(same)} == {REPRODUCED}
    both = pair_claims(results[:2] + same)
    assert {claim.verdict for claim in both} == {PARTLY}
    assert "7B [+0.000, +0.000]" in both[0].here


def test_without_models_the_claims_are_not_testable():
    rho, tau = pair_claims([])
    assert (rho.verdict, tau.verdict) == (NOT_TESTABLE, NOT_TESTABLE)
    assert (rho.here, rho.source) == ("none of them", "Fig. 5b")
    assert rho.published.startswith(
        "1.5B +0.000; 7B -0.034; 14B +0.078; 32B +0.231, each ± 0.004 (by this rule: partly"
    )
    assert "1.5B -0.010; 7B -0.025" in tau.published
    assert (rho.claim, tau.claim) == ("distilled models: Spearman ρ not lower", "distilled models: Kendall τ not lower")


def test_profile_distance():
    student, teacher = np.array([0.9, 0.2, 0.4]), np.array([0.0, 0.1, 0.1, 0.5, 0.7])
    assert profile_distance(student, teacher) == pytest.approx((0.1 + 0.3) / 2)  # entries 1 - 2 and 2 - 4
    assert profile_distance(student, student) == 0
