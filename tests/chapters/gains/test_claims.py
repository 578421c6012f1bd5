"""The claims on the gains: every one whole, as on the committed page, and those that were worked out by hand."""

import pytest
import whole_claims

from decondense.chapters.gains import claims
from decondense.paper.claims import BOOK
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def found():
    return claims.claims(simulations=500)


def test_every_claim_is_whole(found):
    whole_claims.are_whole(found)


def test_claims_are_those_of_the_committed_page(found):
    page = whole_claims.committed("gains")
    here = [claim.as_dict() for claim in found]
    for claim in [*page, *here]:
        if claim["claim"].startswith("the averages vary"):  # from more simulations on the page
            claim["here"] = claim["published"] = claim["why"] = claim["power"] = ""
    assert here == page


@pytest.mark.parametrize(
    ("source", "part", "verdicts"),
    [
        ("Table 2", "on other items", [CANNOT_TELL] * 4),
        (BOOK, "printed spreads imply", [CANNOT_TELL]),
        (BOOK, "without a choice", [CONTRADICTED]),
        ("Table 4", "robust", [REPRODUCED]),
        (BOOK, "best other loss", [CONTRADICTED]),
        (BOOK, "as good as the default", [CANNOT_TELL]),
        (BOOK, "every task gains", [PARTLY]),
    ],
)
def test_verdicts_worked_out_by_hand(found, source, part, verdicts):
    assert [claim.verdict.word for claim in found if claim.source == source and part in claim.claim] == verdicts


def test_flips_ask_the_six_gains_again(found):
    again = [claim.claim for claim in found if claim.repeats]
    assert len(again) == 2
    assert all(claim.startswith("the six gains hold") for claim in again)
