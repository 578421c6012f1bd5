"""The claims of the audit: every one whole, as on the committed page, and those that were worked out by hand."""

import json

import pytest

from decondense import records
from decondense.chapters.audit import claims
from decondense.paper.claims import OWN
from decondense.paper.verdicts import BADGES, NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def found():
    return claims.claims(simulations=500)


def test_every_claim_is_whole(found):
    assert len({(claim.claim, claim.source) for claim in found}) == len(found)
    for claim in found:
        texts = claim.as_dict().values()
        assert all(isinstance(text, str) and text for text in texts)
        assert claim.verdict.word in BADGES
        assert "nan" not in " ".join(texts)


def test_claims_are_those_of_the_committed_page(found):
    page = json.loads((records.committed_folder() / "verdicts-audit.json").read_text(encoding="utf-8"))["claims"]
    here = [claim.as_dict() for claim in found]
    for claim in [*page, *here]:
        if claim["claim"].startswith("variance of the averages"):  # from more simulations on the page
            claim["here"] = claim["why"] = ""
    assert here == page


@pytest.mark.parametrize(
    ("source", "part", "verdicts"),
    [
        ("Table 2", "bold", [PARTLY]),
        ("Table 2", "best average", [REPRODUCED]),
        ("Table 2", "best rank", [PARTLY]),  # three rows of GPT2 have the same
        ("Table 2", "labels of trained rows", [PARTLY]),
        (OWN, "one-sample", [NOT_REPRODUCED]),
        ("Table 2", "three runs on 200 items", [NOT_REPRODUCED, PARTLY]),
        ("Table 2", "on other items", [NOT_TESTABLE] * 4),
        (OWN, "no choice", [NOT_REPRODUCED]),
        (OWN, "best of 5 checkpoints", [REPRODUCED]),
        ("Table 4", "robust", [REPRODUCED]),
        (OWN, "best other loss", [NOT_REPRODUCED]),
        ("Fig. 3a, 3b", "heat map", [PARTLY]),
        ("Fig. 2b", "fall along the series", [PARTLY, REPRODUCED, REPRODUCED, REPRODUCED]),
    ],
)
def test_verdicts_worked_out_by_hand(found, source, part, verdicts):
    assert [claim.verdict.word for claim in found if claim.source == source and part in claim.claim] == verdicts
