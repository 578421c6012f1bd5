"""The table of quantities names each of them once."""

from decondense.controls import QUANTITIES
from decondense.controls.quantities import BETWEEN, COSINES, PER_TEXT, SPECTRUM


def test_the_table_has_every_quantity_once():
    names = [name for row in QUANTITIES for name in row.names]
    assert sorted(names) == sorted(PER_TEXT + SPECTRUM + BETWEEN)


def test_every_row_says_what_it_is():
    for row in QUANTITIES:
        assert all(row)
        assert ('"all"' in row.cost) == (row.names[0] in SPECTRUM)


def test_cosines_are_of_texts():
    assert set(COSINES) < set(PER_TEXT)
