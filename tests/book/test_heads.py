"""The box at the head of a page: its verdicts, its figure, and what it refuses."""

import base64
import json
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from decondense.book import cells, heads
from decondense.book.profiles import notebook_id

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {notebook_id(path): path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
NAME = "07_toy_page"
HEAD = {
    "kind": "paper", "claim": "It falls.", "verdicts": ["late", "rho .*\\(Table 2"], "part": "mean",
    "figure": "toy-curve", "change": "A rise.",
}  # fmt: skip


def claim(text, verdict, here, source="Table 2", published="not stated"):
    return {"claim": text, "source": source, "verdict": verdict, "here": here, "published": published}


VERDICTS = {
    NAME: {
        "claims": [
            claim("rho falls", "cannot tell", "none", source="Table 3"),
            claim("rho falls", "reproduced", "first 2; mean -0.5 [-0.6, -0.4]", published="-1 < 0"),
            claim("late falls", "contradicted", "+0.1"),
        ]
    }
}


@pytest.fixture
def toy_head(monkeypatch):
    monkeypatch.setattr(heads, "table", lambda: {"toy": HEAD})


def page(data=None, **image):
    mystnb = {"figure": {"name": "toy-curve", "caption": 'A "red" curve\nthat falls.'}} | image
    drawn = new_output("display_data", data={"image/png": base64.b64encode(b"dots").decode()} if data is None else data)
    said = new_output("stream", name="stdout", text="drawing\n")
    return new_notebook(
        cells=[
            new_markdown_cell("# Toy\n\n**What the paper says.** It falls."),
            new_code_cell("draw()", outputs=[said, drawn], metadata={"mystnb": mystnb}),
        ]
    )


@pytest.mark.usefixtures("toy_head")
def test_the_box_stands_between_the_heading_and_the_text(tmp_path):
    text = heads.add(page(), NAME, VERDICTS, tmp_path).cells[0].source
    before, box, after = text.partition("::::{admonition} The paper's claim\n:class: head\n")
    assert before == "# Toy\n\n"
    assert box
    assert after.endswith("**What would change our mind:** A rise.\n\n::::\n\n**What the paper says.** It falls.")


@pytest.mark.usefixtures("toy_head")
def test_it_shows_each_verdict_asked_for_in_its_order_and_the_part_that_counts(tmp_path):
    text = heads.add(page(), NAME, VERDICTS, tmp_path).cells[0].source
    assert [line for line in text.split("\n") if line.startswith("- ")] == [
        '- <span class="verdict verdict-contradicted">contradicted</span> *late falls*: +0.1.',
        '- <span class="verdict verdict-reproduced">reproduced</span> *rho falls*: mean -0.5 \\[-0.6, -0.4\\]. '
        "Paper: -1 \\< 0.",
    ]


@pytest.mark.usefixtures("toy_head")
def test_its_figure_is_the_one_drawn_on_the_page_and_leads_there(tmp_path):
    text = heads.add(page(), NAME, VERDICTS, tmp_path).cells[0].source
    assert '<a href="#toy-curve"><img src="heads/toy-curve.png" alt="A &quot;red&quot; curve that falls."></a>' in text
    assert (tmp_path / "heads" / "toy-curve.png").read_bytes() == b"dots"


@pytest.mark.usefixtures("toy_head")
def test_a_drawing_in_svg_is_taken_first_and_its_own_alternative_text(tmp_path):
    drawn = page({"image/svg+xml": "<svg/>", "image/png": ""}, image={"alt": "It falls."})
    text = heads.add(drawn, NAME, VERDICTS, tmp_path).cells[0].source
    assert '<img src="heads/toy-curve.svg" alt="It falls.">' in text
    assert (tmp_path / "heads" / "toy-curve.svg").read_text() == "<svg/>"


@pytest.mark.parametrize(
    ("name", "verdicts", "changes", "message"),
    [
        ("08_other_page", VERDICTS, {}, "notebook in heads.toml 'other'"),
        (NAME, {}, {}, "07_toy_page has no verdict"),
        (NAME, VERDICTS, {"verdicts": ["mu rises"]}, r"verdict of 07_toy_page, .* 'mu rises'\..*late falls"),
        (NAME, VERDICTS, {"figure": "toy-map"}, "figure of 07_toy_page, .* 'toy-map'. Did you mean 'toy-curve'"),
        (NAME, VERDICTS, {"kind": "gossip"}, "kind in heads.toml 'gossip'"),
    ],
)
def test_what_a_page_lacks_is_named(tmp_path, monkeypatch, name, verdicts, changes, message):
    monkeypatch.setattr(heads, "table", lambda: {"toy": HEAD | changes})
    with pytest.raises(ValueError, match=message):
        heads.add(page(), name, verdicts, tmp_path)


@pytest.mark.usefixtures("toy_head")
def test_a_figure_that_was_not_drawn_is_named(tmp_path):
    with pytest.raises(ValueError, match="07_toy_page: the figure toy-curve was not drawn"):
        heads.add(page({"text/plain": "<Figure>"}), NAME, VERDICTS, tmp_path)


def test_an_incomplete_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "table", lambda: {"toy": {key: HEAD[key] for key in HEAD if key != "change"}})
    with pytest.raises(ValueError, match=r"the table \[toy\] lacks change"):
        heads.add(page(), NAME, VERDICTS, tmp_path)


def test_every_notebook_has_a_complete_head_and_no_head_is_left_over():
    table = heads.table()
    assert set(table) == set(NOTEBOOKS)
    for head in table.values():
        assert heads.KEYS <= set(head) <= heads.KEYS | {"part"}
        assert head["kind"] in heads.KINDS
        assert head["claim"].endswith(".")
        assert head["change"].endswith(".")


@pytest.mark.parametrize("short", NOTEBOOKS)
def test_every_head_names_a_figure_of_its_page(short):
    figures = [c["metadata"].get("mystnb", {}).get("figure", {}).get("name") for c in cells.read(NOTEBOOKS[short])]
    assert heads.table()[short]["figure"] in figures


@pytest.mark.parametrize("short", NOTEBOOKS)
def test_every_verdict_of_a_head_is_one_of_the_committed_run(short):
    head = heads.table()[short]
    file = json.loads((ROOT / "book" / "results" / f"verdicts-{short}.json").read_text(encoding="utf-8"))
    found = {wanted: len(heads.decided({"verdicts": [wanted]}, short, file)) for wanted in head["verdicts"]}
    assert found == dict.fromkeys(head["verdicts"], 1)
