"""The claims of the audit: every one whole, as on the committed page, and those that were worked out by hand."""

import json
from pathlib import Path

import pytest

from decondense import paper, records
from decondense.chapters.audit import claims
from decondense.paper.claims import BOOK, EXPERIMENT
from decondense.paper.verdicts import BADGES, CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED


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
    page = json.loads((records.committed_folder() / "verdicts-audit.json").read_text(encoding="utf-8"))["claims"]
    here = [claim.as_dict() for claim in found]
    for claim in [*page, *here]:
        if claim["claim"].startswith("the averages vary"):  # from more simulations on the page
            claim["here"] = claim["published"] = claim["why"] = claim["power"] = ""
    assert here == page


def test_every_published_file_is_checked(monkeypatch):
    files = {path.stem for path in Path(paper.__file__).parent.glob("*.csv")}
    read, seen = paper._read, set()
    monkeypatch.setattr(paper, "_read", lambda name: seen.add(name) or read(name))
    claims.claims(simulations=10)
    assert seen == files == set(paper.TABLES)


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
        ("Table 2", "on other items", [CANNOT_TELL] * 4),
        (BOOK, "printed spreads imply", [CANNOT_TELL]),
        (BOOK, "without a choice", [CONTRADICTED]),
        ("Table 4", "robust", [REPRODUCED]),
        (BOOK, "best other loss", [CONTRADICTED]),
        (BOOK, "as good as the default", [CANNOT_TELL]),
        (BOOK, "every task gains", [PARTLY]),
        ("Table S1", "products of their factors", [REPRODUCED]),
        ("Table S1, Fig. 7", "the steps of Fig. 7", [REPRODUCED]),
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
    again = {(claim.claim, claim.source) for claim in found if claim.repeats}
    runs = {name for name in again if "of three runs on" in name[0]}
    assert len(runs) == 5  # each is asked more sharply as "of three runs, not of one"
    flips = {name for name in again if name[0].startswith("the six gains hold")}
    assert len(flips) == 2
    assert again - runs - flips == {
        ("heat maps shown twice have the same modes", "Fig. 2a, S2a"),
        ("GPT2 on wikitext-103: rho and tau fall along the series", "Fig. S2"),
    }
