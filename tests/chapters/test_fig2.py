"""The claims of Fig. 2: what is compared, and with what."""

from dataclasses import replace

import pytest

from decondense.chapters import fig2
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED


@pytest.fixture
def falling(condensation):
    """The toy result the other way round: mu falls with depth."""
    return replace(condensation, name="large", mu_per_text=condensation.mu_per_text[:, ::-1].copy())


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
    assert [c.verdict for c in found] == [(NOT_TESTABLE, "the paper gives no values for this text")] * 2


def test_depth_claim_takes_the_smallest_of_each_family(condensation, falling):
    (found,) = fig2.depth_claim({"Toy": [condensation, falling]}, "Fig. 2b")
    assert "GPT2 0.385 ± 0.002" in found.published
    assert "large" not in found.here
    assert found.verdict.word == REPRODUCED
    assert fig2.depth_claim({"Toy": [falling]}, "Fig. 2b")[0].verdict.word == NOT_REPRODUCED
    assert fig2.depth_claim({}, "Fig. 2b")[0].verdict.word == NOT_TESTABLE


def test_repeat_claims_judge_the_difference_of_two_sets_of_texts(condensation, falling):
    words = lambda first, second: [c.verdict.word for c in fig2.repeat_claims(first, second)]
    assert words([condensation], [condensation]) == [REPRODUCED] * 2
    assert words([condensation], [falling]) == [NOT_REPRODUCED] * 2
    assert words([], []) == [NOT_TESTABLE] * 2
