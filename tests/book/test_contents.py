"""The ways through the book: every page is on one of them, in an order that the first page tells."""

from pathlib import Path

import pytest

from decondense.book import contents
from decondense.book.profiles import notebook_id

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")]
MADE = {"scorecard", "committed_run", "gallery"}  # by the build


@pytest.fixture
def ways(monkeypatch):
    parts = {"Use it": ["book/install"], "Learn it: a": ["start", "fig3"], "Learn it: b": ["fig9"]}
    monkeypatch.setattr(contents, "table", lambda: {"doors": {"Use it": "Go.", "Learn it": "Read."}, "parts": parts})


@pytest.mark.parametrize(
    ("names", "learn"),
    [
        ([], {}),
        (["00_start_x", "06_fig3_y"], {"a": ["00_start_x", "06_fig3_y"]}),
        (["06_fig3_y"], {"a": ["06_fig3_y"]}),
        (["00_start_x", "02_new_z", "06_fig3_y"], {"a": ["00_start_x", "02_new_z", "06_fig3_y"]}),
        (["00_start_x", "02_new_z", "03_newer_z"], {"a": ["00_start_x", "02_new_z", "03_newer_z"]}),
        (["00_new_z", "09_fig9_y"], {"b": ["00_new_z", "09_fig9_y"]}),
    ],
)
def test_a_notebook_that_is_not_listed_follows_the_one_before_it(ways, names, learn):
    expected = {"Use it": ["book/install"]}
    expected |= {f"Learn it: {part}": [f"notebooks/{name}" for name in pages] for part, pages in learn.items()}
    assert contents.parts(reversed(names)) == expected


def test_the_table_of_contents_has_the_parts_in_their_order(ways):
    toc = contents.toc(["00_start_x"])
    assert toc["root"] == "book/intro"
    assert [part["caption"] for part in toc["parts"]] == ["Use it", "Learn it: a"]
    assert toc["parts"][1]["chapters"] == [{"file": "notebooks/00_start_x"}]


def test_the_doors_show_the_pages_of_each_way_in_order(ways):
    use, learn = contents.doors(["00_start_x", "06_fig3_y", "09_fig9_z"]).split(":::{grid-item-card}")[1:]
    assert use.split() == ["Use", "it", "Go.", "[](../book/install.md)", ":::"]
    assert "**a** [](../notebooks/00_start_x.ipynb) → [](../notebooks/06_fig3_y.ipynb)" in learn
    assert "**b** [](../notebooks/09_fig9_z.ipynb)" in learn


def test_every_page_of_this_book_is_listed_once():
    files = [file for pages in contents.parts(NOTEBOOKS).values() for file in pages]
    texts = {path.stem for path in (ROOT / "book").glob("*.md")} - {"intro"}
    assert len(files) == len(set(files))
    assert set(files) == {f"book/{name}" for name in texts | MADE} | {f"notebooks/{name}" for name in NOTEBOOKS}


def test_every_notebook_that_is_listed_exists():
    listed = {page for pages in contents.table()["parts"].values() for page in pages if "/" not in page}
    assert listed <= set(map(notebook_id, NOTEBOOKS))


def test_start_here_is_the_first_page_to_learn_from():
    first = next(pages[0] for part, pages in contents.parts(NOTEBOOKS).items() if part.startswith("Learn it"))
    assert first == "notebooks/00_start_here"
    assert contents.texts("Use it")[0] == "install"
