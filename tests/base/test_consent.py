"""Consent: what was accepted, when, and that nothing else counts as consent."""

import json
from datetime import UTC, datetime

import pytest

from decondense.base import consent


def test_consent_is_noted_with_its_terms_and_its_date():
    before = datetime.now(UTC).replace(microsecond=0)
    assert consent.given("toy", "Toy Terms") is None
    path = consent.give("toy", "Toy Terms")
    assert path == consent.cache_dir() / "consents" / "toy.json"
    assert json.loads(path.read_text()) == {"terms": "Toy Terms", "utc": consent.given("toy", "Toy Terms")}
    assert before <= datetime.fromisoformat(consent.given("toy", "Toy Terms")) <= datetime.now(UTC)
    assert [file.name for file in path.parent.iterdir()] == ["toy.json"]


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"utc": "2026"}', '{"terms": "Other", "utc": "2026"}'])
def test_a_damaged_note_or_one_of_other_terms_is_no_consent(note):
    consent.give("toy", "Toy Terms").write_text(note)
    assert consent.given("toy", "Toy Terms") is None
    assert consent.given("other", "Toy Terms") is None
