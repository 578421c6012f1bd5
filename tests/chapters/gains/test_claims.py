"""The claims on the gains: every one whole, as on the committed page, and those that were worked out by hand."""

import json

import pytest

from decondense import records
from decondense.chapters.gains import claims
from decondense.paper.claims import BOOK, EXPERIMENT
from decondense.paper.verdicts import BADGES, CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def found():
    return claims.claims(simulations=500)


def test_every_claim_is_whole(found):
    assert len({(claim.claim, claim.source) for claim in found}) == len(found)
    for claim in found:
        texts = claim.as_dict()
        assert texts.pop("repeats") is not None
        assert texts.pop("tests") >= 0
        assert all(isinstance(text, str) and text for text in texts.values())
        assert texts["kind"] != EXPERIMENT  # nothing is measured here
        assert claim.verdict.word in BADGES
        assert "nan" not in " ".join(texts.values())


def test_claims_are_those_of_the_committed_page(found):
    page = json.loads((records.committed_folder() / "verdicts-gains.json").read_text(encoding="utf-8"))["claims"]
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
