"""Made-up lives: 47.6 bits a person, text that can be read back, and the bound for models that know all or nothing."""

import math

import pytest
import torch

from decondense.chapters.capacity import biographies
from decondense.chapters.capacity.biographies import BITS, FACTS, FIELDS, NAME, SENTENCE, VOCABULARY


def test_a_person_has_the_bits_that_the_source_states():
    assert pytest.approx(BITS, abs=0.05) == 47.6
    assert biographies.NAMES == 160_000_000


def test_people_are_uniform_over_their_domains_and_names_are_their_own():
    people = biographies.people(20_000, seed=0)
    assert people.shape == (20_000, len(FIELDS))
    assert len(people[:, : len(NAME)].unique(dim=0)) == 20_000
    for number, size in enumerate(FIELDS.values()):
        assert people[:, number].unique().tolist() == list(range(size))
        assert people[:, number].double().mean() == pytest.approx((size - 1) / 2, rel=0.03)


def test_a_name_that_comes_twice_is_found():
    assert biographies._again(torch.tensor([5, 3, 5, 9, 3, 5])).sort().values.tolist() == [2, 4, 5]


def test_the_text_has_every_field_of_a_person():
    people = biographies.people(200, seed=1)
    rows = biographies.rows(people)
    assert rows.max() < VOCABULARY
    assert (rows[:, 0] == biographies.START).all()
    assert (rows[:, 1:] != biographies.START).all()
    column = 1
    for part in SENTENCE:
        if part in FIELDS:
            word = rows[:, column : column + biographies.width(part)].tolist()
            values = [sum(digit * 20**place for place, digit in enumerate(reversed(digits))) for digits in word]
            assert values == people[:, list(FIELDS).index(part)].tolist()
        column += biographies.width(part) if part in FIELDS else 1
    assert column == rows.shape[1]


def test_a_row_reads_as_a_sentence():
    said = biographies.read(biographies.rows(torch.zeros(1, len(FIELDS), dtype=torch.long))[0])
    assert said == ("baba baba bababa is a ba born on baba ba baba in baba and studied baba at baba to work for baba")


@pytest.mark.parametrize(("field", "syllables"), [("gender", 1), ("month of birth", 1), ("year of birth", 2),
                                                  ("first name", 2), ("last name", 3)])  # fmt: skip
def test_words_are_as_long_as_their_domain_needs(field, syllables):
    assert biographies.width(field) == syllables


# --- the bound ------------------------------------------------------------------------------------------------------


def surprisals(n, name, fact):
    """Of each token, where a name and the facts cost so many bits in all, and the phrases what does not matter."""
    places = biographies._places()
    found = torch.full((n, len(places)), 99.0)
    found[:, places == "name"] = name / (places == "name").sum()
    found[:, places == "fact"] = fact / (places == "fact").sum()
    return found


def test_a_model_that_knows_all_facts_holds_all_their_bits():
    assert biographies.known(surprisals(50, 0, 0)).facts == pytest.approx(50 * BITS)


def test_a_model_that_guesses_holds_nothing():
    found = biographies.known(surprisals(50, math.log2(biographies.NAMES - 50), BITS))
    assert found.names == pytest.approx(0, abs=1e-2)
    assert found.facts == pytest.approx(0, abs=1e-2)


def test_a_model_that_knows_the_names_still_guesses_which_comes():
    found = biographies.known(surprisals(64, math.log2(64), BITS))
    assert found.names == pytest.approx(64 * (math.log2(biographies.NAMES - 64) - 6), rel=1e-5)


def test_a_model_that_knows_one_fact_holds_its_bits():
    university = math.log2(FACTS["university"])
    assert biographies.known(surprisals(10, 0, BITS - university)).facts == pytest.approx(10 * university, rel=1e-4)


@pytest.mark.parametrize("n", [0, -1, 1_600_001])
def test_people_who_could_not_all_have_a_name_are_refused(n):
    with pytest.raises(ValueError, match="Ask for 1 to 1600000 people"):
        biographies.people(n, 0)
