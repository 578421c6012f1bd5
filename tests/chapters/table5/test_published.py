"""The printed table and its gain."""

import pytest

from decondense.chapters.table5 import published


def test_published_table():
    table = published.published()
    assert table.difference["average"] == pytest.approx(1.17)
    tasks = table.drop(index="average")
    assert len(tasks) == 10
    assert tasks.mean().difference == pytest.approx(1.17, abs=0.01)
    assert table.index[0] == "anli_r2"


def test_the_gain_beside_the_error_of_its_items_is_that_of_the_table():
    table = published.by_items()
    assert list(table.index) == ["Qwen3-0.6B"]
    assert table.gain.item() == pytest.approx(published.published_gain())
    assert 0 < table.flips_196.item() < 1 < table.error.item()
