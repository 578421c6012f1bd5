"""Executed pages that the repository keeps: outputs belong to the code that they were kept of."""

import gzip
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from decondense.book import kept
from decondense.book.profiles import PROFILES

NAME = "00_start_here"
STAMP = {"seconds": 12.3, "utc": "2026-01-02T03:04:05+00:00", "versions": {"torch": "2"}, "hash": "not kept"}


def notebook(code="print(N)", prose="# Start", out=None, colab="pip", injected=None):
    """A notebook with a cell for Colab, its parameters and one more; with what a runner adds, if asked."""
    outputs = [new_output("stream", name="stdout", text=out)] if out else []
    cells = [
        new_markdown_cell(prose, id="a"),
        new_code_cell(colab, id="b", metadata={"tags": ["colab"]}),
        new_code_cell("N = 1", id="c", metadata={"tags": ["parameters"]}),
    ]
    if injected:
        cells.append(new_code_cell(injected, id="random", metadata={"tags": ["injected-parameters"]}))
    return new_notebook(cells=[*cells, new_code_cell(code, id="d", outputs=outputs, metadata={"tags": ["wide"]})])


@pytest.fixture
def root(tmp_path):
    """A repository that keeps the outputs of its notebook."""
    (tmp_path / "notebooks").mkdir()
    source(tmp_path, notebook())
    kept.write(tmp_path, NAME, notebook(out="3", injected="N = 3"), STAMP, "laptop")
    return tmp_path


def source(root, content):
    nbformat.write(content, root / "notebooks" / f"{NAME}.ipynb")


def test_kept_outputs_come_back_in_their_cells(root):
    executed = kept.executed(root, NAME)
    assert [cell.source for cell in executed.cells] == ["# Start", "pip", "N = 1", "N = 3", "print(N)"]
    assert [out.text for out in executed.cells[-1].outputs] == ["3"]
    assert executed.cells[3].metadata.tags == ["injected-parameters"]
    about = kept.read(root, NAME)
    assert (about["profile"], about["seconds"], about["utc"]) == ("laptop", 12.3, "2026-01-02T03:04:05+00:00")
    assert "hash" not in about


@pytest.mark.parametrize("change", [{"prose": "# Another title"}, {"colab": "pip 2"}])
def test_prose_and_the_cell_for_colab_are_those_of_today(root, change):
    source(root, notebook(**change))
    assert kept.stale(root) == []
    assert next(iter(change.values())) in [cell.source for cell in kept.executed(root, NAME).cells]


def test_outputs_of_other_code_are_refused_by_name(root):
    source(root, notebook("print(2 * N)"))
    assert kept.stale(root) == [NAME]
    assert kept.read(root, NAME) is None
    with pytest.raises(ValueError, match=rf"{NAME} .*decondense keep"):
        kept.executed(root, NAME)


def test_what_was_never_kept_is_not_stale(root):
    nbformat.write(notebook(), root / "notebooks" / "01_other_one.ipynb")
    assert kept.read(root, "01_other_one") is None
    assert kept.stale(root) == []


def test_the_same_page_gives_the_same_file(root):
    path = root / kept.FOLDER / f"{NAME}.json.gz"
    before = path.read_bytes()
    kept.write(root, NAME, notebook(out="3", injected="N = 3"), STAMP, "laptop")
    assert path.read_bytes() == before


# --- what the repository keeps --------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / kept.FOLDER).iterdir()), ids=lambda path: path.name)
def test_a_committed_page_is_of_a_notebook_ended_well_and_tells_no_folder(path):
    text = gzip.decompress(path.read_bytes()).decode()
    content = json.loads(text)
    assert (ROOT / "notebooks" / f"{path.name.removesuffix('.json.gz')}.ipynb").exists()
    assert content["seconds"] > 0
    assert content["profile"] in PROFILES
    assert "error" not in {output["output_type"] for cell in content["outputs"] for output in cell}
    assert not re.search(r"(?<![\w.])/(home|Users|root|tmp)/\w", re.sub(r'"image/png": "[^"]+"', "", text))
