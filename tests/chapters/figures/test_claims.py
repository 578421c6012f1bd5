"""The claims on the figures: every one whole, as on the committed page, and those that were worked out by hand."""

import pytest
import whole_claims

from decondense.chapters.figures import claims
from decondense.paper.verdicts import CANNOT_TELL, NOT_TESTABLE, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def found():
    return claims.claims()


def test_every_claim_is_whole(found):
    whole_claims.are_whole(found)


def test_claims_are_those_of_the_committed_page(found):
    page = whole_claims.committed("figures")
    assert [claim.as_dict() for claim in found] == page


@pytest.mark.parametrize(
    ("source", "part", "verdicts"),
    [
        ("Fig. 3", "numbers of parameters", [REPRODUCED]),
        ("Fig. 2, S2", "numbers of parameters", [PARTLY]),
        ("Fig. 3a, 3b", "heat map", [PARTLY]),
        ("Fig. 2b", "fall along the series", [CANNOT_TELL, REPRODUCED, CANNOT_TELL, CANNOT_TELL]),
        ("Fig. 4", "fall along the series", [NOT_TESTABLE]),
    ],
)
def test_verdicts_worked_out_by_hand(found, source, part, verdicts):
    assert [claim.verdict.word for claim in found if claim.source == source and part in claim.claim] == verdicts


def test_what_is_shown_twice_counts_once(found):
    assert {(claim.claim, claim.source) for claim in found if claim.repeats} == {
        ("heat maps shown twice have the same modes", "Fig. 2a, S2a"),
        ("GPT2 on wikitext-103: rho and tau fall along the series", "Fig. S2"),
    }


@pytest.mark.parametrize(("p", "verdict"), [(0.049, REPRODUCED), (0.05, CANNOT_TELL), (0.9, CANNOT_TELL)])
def test_beyond_chance_never_contradicts(p, verdict):
    assert claims.beyond_chance(p).word == verdict
