"""The claims of the audit: every one judged, and the ones that are not reproduced."""

import pytest

from decondense.chapters.audit import claims as audit_claims
from decondense.paper.claims import OWN, Claim
from decondense.paper.verdicts import BADGES, NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED


@pytest.fixture(scope="module")
def claims():
    return audit_claims.every(simulations=500)


def verdicts(claims, source, part):
    return [claim.verdict.word for claim in claims if claim.source == source and part in claim.claim]


def test_every_claim_is_whole(claims):
    assert len({(claim.claim, claim.source) for claim in claims}) == len(claims)
    for claim in claims:
        assert isinstance(claim, Claim)
        texts = claim.as_dict().values()
        assert all(isinstance(text, str) and text for text in texts)
        assert claim.verdict.word in BADGES
        assert "nan" not in " ".join(texts)


def test_claims_are_of_the_tables_and_figures_that_the_page_names(claims):
    sources = {claim.source for claim in claims}
    assert {"Table 2", "Table 3", "Table 4", "Table 5", OWN} <= sources
    assert {"Fig. 2b", "Fig. 3b", "Fig. 4", "Fig. S2", "Fig. 2b, 5b", "Fig. 2b, S2a", "Fig. 3a, 3b"} <= sources


def test_arithmetic_of_the_tables(claims):
    for table in ("Table 2", "Table 3", "Table 5"):
        assert verdicts(claims, table, "mean of its ten tasks") == [REPRODUCED]
    assert verdicts(claims, "Table 2", "mean places") == [REPRODUCED]
    assert verdicts(claims, "Table 2", "bold") == [PARTLY]
    assert verdicts(claims, "Table 2", "best average") == [REPRODUCED]
    assert verdicts(claims, "Table 2", "best rank") == [PARTLY]  # three rows of GPT2 have the same


def test_labels_and_runs(claims):
    assert verdicts(claims, "Table 2", "labels of trained rows") == [PARTLY]
    assert verdicts(claims, "Table 2", "labels of untrained rows") == [REPRODUCED]
    assert verdicts(claims, OWN, "one-sample") == [NOT_REPRODUCED]
    assert verdicts(claims, "Table 2", "under Holm") == [REPRODUCED]
    assert verdicts(claims, "Table 2", "three runs on 500 items") == [PARTLY, PARTLY]
    assert verdicts(claims, "Table 2", "three runs on 200 items") == [NOT_REPRODUCED, PARTLY]
    assert verdicts(claims, "Table 3", "three runs on 500 items") == [REPRODUCED]


def test_gains_on_other_items_hang_on_what_is_not_published(claims):
    found = [claim.verdict.word for claim in claims if "on other items" in claim.claim]
    assert found == [NOT_TESTABLE] * 6


def test_spreads_fit_a_choice_of_checkpoints_and_not_independent_tasks(claims):
    assert verdicts(claims, OWN, "no choice") == [NOT_REPRODUCED]
    assert verdicts(claims, OWN, "best of 5 checkpoints") == [REPRODUCED]


def test_settings_of_table_4(claims):
    assert verdicts(claims, "Table 4", "are best") == [REPRODUCED]
    assert verdicts(claims, "Table 4", "robust") == [REPRODUCED]
    assert verdicts(claims, OWN, "best other loss") == [NOT_REPRODUCED]


def test_figures_and_falls(claims):
    assert verdicts(claims, "Fig. 3a, 3b", "heat map") == [PARTLY]
    assert verdicts(claims, "Fig. 2a, 2b", "heat map") == [REPRODUCED]
    assert verdicts(claims, "Fig. 2b", "fall along the series") == [PARTLY, REPRODUCED, REPRODUCED, REPRODUCED]
    assert verdicts(claims, OWN, "four families together") == [REPRODUCED]
