"""Cells that a page of the book folds away."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from decondense.book import folds


@pytest.mark.parametrize("tag", folds.FOLDED)
def test_a_cell_with_such_a_tag_is_folded_and_the_fold_says_what_is_in_it(tag):
    cell = folds.fold(new_code_cell("pass", metadata={"tags": [tag], "mystnb": {"number_source_lines": True}}))
    assert cell.metadata.tags == [tag, "hide-cell"]
    assert cell.metadata.mystnb == {
        "number_source_lines": True,
        "code_prompt_show": f"Show {folds.FOLDED[tag]}",
        "code_prompt_hide": f"Hide {folds.FOLDED[tag]}",
    }


@pytest.mark.parametrize(
    "cell", [new_code_cell("pass", metadata={"tags": ["colab"]}), new_code_cell("pass"), new_markdown_cell("# Plan")]
)
def test_other_cells_stay_as_they_are(cell):
    before = dict(cell.metadata)
    assert folds.fold(cell).metadata == before


def test_a_cell_may_say_what_is_in_it():
    cell = folds.fold(new_code_cell("pass", metadata={"tags": ["details"], "fold": "all ranks"}))
    assert cell.metadata.mystnb.code_prompt_show == "Show all ranks"
