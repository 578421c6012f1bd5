"""What a page says of the run that it shows."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from decondense.book import shown
from decondense.book.scorecard import COMMITTED, Page

STAMP = {"seconds": 12.34, "utc": "2026-01-02T03:04:05.000006+00:00", "versions": {"torch": "2.9.1"}}
KEPT = STAMP | {"utc": "2025-12-24T18:00:00+00:00", "profile": "laptop"}
DONE = Page(Path("notebooks/02_fig2_x.ipynb"), Path(__file__), STAMP)
OLD = DONE._replace(stamp=KEPT, told=COMMITTED)
NOW = "2026-02-03T09:30:00+00:00"
THIS_RUN = "Shown is this run, of 2026-01-02 03:04 UTC (profile <code>gpu</code>)."
OLDER = "Shown is an earlier run, of 2026-01-02 03:04 UTC"
OF_COMMITTED = "Shown is the committed run of 2025-12-24 18:00 UTC (profile <code>laptop</code>)."
TO_COME = "The run begun 2026-02-03 09:30 UTC has yet to execute this notebook"


@pytest.mark.parametrize(
    ("page", "waiting", "said", "not_said"),
    [
        (DONE, None, [THIS_RUN], "yet"),
        (DONE, {"fig3"}, [THIS_RUN], "yet"),
        (DONE, {"fig2"}, [OLDER, TO_COME], "this run"),
        (OLD, None, [OF_COMMITTED, "not executed in the run that made this book"], "yet"),
        (OLD, {"fig2"}, [OF_COMMITTED, TO_COME], "was not executed"),
    ],
)
def test_the_line_below_the_title(page, waiting, said, not_said):
    run = None if waiting is None else shown.Run(NOW, frozenset(waiting))
    notebook = new_notebook(cells=[new_code_cell("1"), new_markdown_cell("# Title\n\nText.\n\n## Part")])
    first, line, *rest = shown.marked(notebook, page, "gpu", run).cells[1].source.split("\n\n")
    assert (first, rest) == ("# Title", ["Text.", "## Part"])
    assert line.startswith('<p class="shown">')
    assert line.endswith("</p>")
    assert all(part in line for part in said)
    assert not_said not in line


def test_a_page_without_a_title_has_it_too():
    cells = shown.marked(new_notebook(cells=[new_code_cell("1")]), DONE, "gpu", None).cells
    assert THIS_RUN in cells[0].source


def test_provenance_names_time_versions_and_command():
    line = shown.provenance(DONE, "gpu")
    for part in ("<code>gpu</code>", "2026-01-02 03:04 UTC", "12.3 s", "torch 2.9.1", "--profile gpu --only fig2 --fr"):
        assert part in line
