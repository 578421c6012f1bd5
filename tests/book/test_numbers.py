"""Numbers in prose: each comes from the committed run, and each comment of a notebook names one that is there."""

from pathlib import Path

import pytest

pytest.importorskip("nbformat")
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from decondense.book import cells, numbers, scorecard

ROOT = Path(__file__).parents[2]
COMMITTED = scorecard.read_committed(ROOT / "book" / "results")
CLAIM = {"claim": "rho falls", "source": "Fig. 2b", "here": "0.5 [0.4, 0.6]", "verdict": "reproduced"}
RUN = {"02_fig2_families": {"profile": "laptop", "claims": [CLAIM], "numbers": {"late half": "-0.18 [-0.20, -0.16]"}}}


def test_a_number_of_a_claim_has_its_verdict():
    badge = scorecard.badge("reproduced")
    assert numbers.number("fig2: rho", RUN) == rf" (0.5 \[0.4, 0.6\]; {badge})"


def test_a_number_that_no_claim_has():
    assert numbers.number("fig2: late half", RUN) == r" (-0.18 \[-0.20, -0.16\])"


def test_a_part_of_a_list_of_numbers():
    run = {
        "02_fig2_families": {
            "profile": "ci",
            "claims": [CLAIM | {"here": "a 1; b 2; b 3"}],
            "numbers": {"list": "c 4; d 5"},
        }
    }
    assert numbers.number("fig2: rho | b", run) == f" (b 2; b 3; {scorecard.badge('reproduced')})"
    assert numbers.number("fig2: list | c", run) == " (c 4)"
    with pytest.raises(ValueError, match=r"Unknown part of a list of numbers 'e'.*Known: a 1"):
        numbers.number("fig2: rho | e", run)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fig2: tau", "Unknown claim of fig2 .0 begin so. 'tau'.*Known: rho falls, late half"),
        ("fig9: rho", "Unknown notebook with committed verdicts 'fig9'"),
    ],
)
def test_a_number_that_is_not_there_is_an_error(name, said):
    with pytest.raises(ValueError, match=said):
        numbers.number(name, RUN)


def test_without_a_committed_run_the_sentence_says_so():
    assert numbers.number("fig2: rho", {}) == f" ({numbers.NO_RUN})"


def test_only_the_markdown_of_a_notebook_is_filled():
    comment = "<!-- number fig2: late half -->"
    notebook = new_notebook(cells=[new_markdown_cell(f"It falls{comment}."), new_code_cell(f"'{comment}'")])
    said, code = (cell.source for cell in numbers.filled_notebook(notebook, RUN).cells)
    assert said == r"It falls (-0.18 \[-0.20, -0.16\])."
    assert code == f"'{comment}'"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_number_of_a_notebook_is_one_of_the_committed_run(path):
    for cell in cells.read(path):
        if cell["cell_type"] == "markdown":
            said = numbers.filled(cell["source"], {"number": lambda name: numbers.number(name, COMMITTED)})
            assert "<!--" not in said
