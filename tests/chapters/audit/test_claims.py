"""The claims of the audit: every one whole, as on the committed page, and those that were worked out by hand."""

from pathlib import Path

import pytest
import whole_claims

from decondense import paper
from decondense.chapters.audit import claims
from decondense.chapters.figures import claims as of_figures
from decondense.chapters.gains import claims as of_gains
from decondense.paper.claims import BOOK
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def found():
    return claims.claims()


def test_every_claim_is_whole(found):
    whole_claims.are_whole(found)


def test_claims_are_those_of_the_committed_page(found):
    page = whole_claims.committed("audit")
    assert [claim.as_dict() for claim in found] == page


@pytest.mark.parametrize(
    ("source", "part", "verdicts"),
    [
        ("Table 2", "bold", [PARTLY]),
        ("Table 2", "best average", [REPRODUCED]),
        ("Table 2", "best rank", [PARTLY]),  # three rows of GPT2 have the same
        ("Table 2", "labels of trained rows", [PARTLY]),
        (BOOK, "one-sample", [CONTRADICTED]),
        ("Table 2", "three runs on 200 items", [PARTLY, PARTLY]),
        ("Table 2", "not of one", [CONTRADICTED, CONTRADICTED, CONTRADICTED, CANNOT_TELL]),
        ("Table 3", "not of one", [CANNOT_TELL]),
        ("Table 2", "0.0 is printed with", [PARTLY]),
        ("Table S1", "products of their factors", [REPRODUCED]),
        ("Table S1, Fig. 7", "the steps of Fig. 7", [REPRODUCED]),
    ],
)
def test_verdicts_worked_out_by_hand(found, source, part, verdicts):
    assert [claim.verdict.word for claim in found if claim.source == source and part in claim.claim] == verdicts


def test_three_runs_are_asked_twice_and_counted_once(found):
    again = [claim for claim in found if claim.repeats]
    assert len(again) == 5  # each is asked more sharply as "of three runs, not of one"
    assert all("of three runs on" in claim.claim for claim in again)


def test_every_published_file_is_checked_by_one_of_the_three_audits(monkeypatch):
    files = {path.stem for path in Path(paper.__file__).parent.glob("*.csv")}
    read, seen = paper._read, set()
    monkeypatch.setattr(paper, "_read", lambda name: seen.add(name) or read(name))
    claims.claims()
    of_gains.claims(simulations=10)
    of_figures.claims()
    assert seen == files == set(paper.TABLES)
