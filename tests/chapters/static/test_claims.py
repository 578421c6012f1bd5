"""Verdicts on made-up embeddings and models that have, or have not, what is claimed."""

import importlib.util
from pathlib import Path

import pytest

from decondense.chapters.static import claims
from decondense.paper.claims import OWN
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED, SMALLER

spec = importlib.util.spec_from_file_location("made_static", Path(__file__).with_name("made.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def words(vectors, tables, models):
    return {claim.claim: claim.verdict.word for claim in claims.claims(vectors, tables, models)}


def test_all_that_is_claimed_is_found_where_it_is():
    found = words({"a": made.embedding()}, {"b": made.embedding(tie=-0.4, seed=1)}, {"m": made.model()})
    assert len(found) == 12
    assert set(found.values()) == {REPRODUCED}


CASES = {
    "word vectors: two rows": ({"cosine": 0.05, "spread": 0.001}, SMALLER),
    "word vectors: common words": ({"tie": -0.4}, CONTRADICTED),
    "all-but-the-top: more neighbours": ({"gain": -0.1}, PARTLY),
    "whitening: no mean cosine": ({"white": 0.1}, PARTLY),
}


@pytest.mark.parametrize("start", CASES)
def test_an_embedding_without_it_is_told(start):
    changed, word = CASES[start]
    found = words({"a": made.embedding(**changed)}, {"b": made.embedding(tie=-0.4, seed=1)}, {"m": made.model()})
    assert next(verdict for claim, verdict in found.items() if claim.startswith(start)) == word


@pytest.mark.parametrize(
    ("start", "changed"),
    [
        ("all-but-the-top: no cone is left", {"mu": 0.3}),
        ("all-but-the-top: a higher effective rank", {"rank": 0.8}),
        ("the shared mean taken off", {"rise": 0.0, "beyond": 0.0}),
        ("and by more than", {"beyond": -0.5}),
    ],
)
def test_a_model_without_it_is_told(start, changed):
    found = words({"a": made.embedding()}, {"b": made.embedding(tie=-0.4)}, {"m": made.model(**changed)})
    assert next(verdict for claim, verdict in found.items() if claim.startswith(start)) == CONTRADICTED


def test_what_is_missing_is_not_testable():
    found = claims.claims({"a": made.embedding()}, {}, {})
    assert [claim.verdict.word for claim in found if "language models" in claim.claim] == [NOT_TESTABLE] * 2
    assert all(claim.as_dict()["kind"] == OWN for claim in found)
