"""The gallery: each named figure of the executed notebooks, small, with a link to its place."""

import base64
from io import BytesIO

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from decondense.book import gallery


def picture(width, height):
    made = BytesIO()
    Image.new("RGB", (width, height), "red").save(made, "png")
    return base64.b64encode(made.getvalue()).decode()


def figure(data, name="fig9-x", caption="What *is* seen. And more."):
    metadata = {"mystnb": {"figure": {"name": name, "caption": caption}}} if name else {}
    return new_code_cell("pass", outputs=[new_output("display_data", data=data)], metadata=metadata)


def test_figures_with_a_name_are_small_and_lead_to_their_place(tmp_path):
    notebooks, target = tmp_path / "notebooks", tmp_path / "book"
    notebooks.mkdir()
    target.mkdir()
    cells = [new_markdown_cell("# Fig. 9: why\n\nA question.")]
    cells += [figure({"image/png": picture(1200, 600)}), figure({"image/png": picture(9, 9)}, name=None)]
    nbformat.write(new_notebook(cells=cells), notebooks / "02_fig9_y.ipynb")
    nbformat.write(new_notebook(cells=[]), notebooks / "03_none_z.ipynb")
    gallery.write(notebooks, target)
    page = (target / "gallery.md").read_text()
    with Image.open(target / "gallery" / "fig9-x.png") as small:
        assert small.size == (480, 240)
    assert [path.name for path in (target / "gallery").iterdir()] == ["fig9-x.png"]
    for line in (
        "Fig. 9: why",
        ":link: ../notebooks/02_fig9_y.html#fig9-x",
        ":img-top: gallery/fig9-x.png",
        ":img-alt: What *is* seen",
        r"What \*is\* seen",
    ):
        assert line in page.splitlines()
    assert "03_none_z" not in page


@pytest.mark.parametrize(
    ("caption", "first"),
    [("As in Fig. 2. Ours.", "As in Fig. 2"), ("What is seen. And more.", "What is seen"), ("No point", "No point")],
)
def test_a_card_has_the_first_sentence_of_the_caption(tmp_path, caption, first):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    cells = [new_markdown_cell("# A page"), figure({"image/png": picture(9, 9)}, caption=caption)]
    nbformat.write(new_notebook(cells=cells), notebooks / "02_fig9_y.ipynb")
    gallery.write(notebooks, tmp_path)
    assert first in (tmp_path / "gallery.md").read_text().splitlines()


def test_a_drawing_is_taken_as_it_is():
    cell = figure({"image/svg+xml": "<svg/>", "image/png": picture(9, 9), "text/plain": "f"})
    assert list(gallery.figures(new_notebook(cells=[cell]))) == [
        ("fig9-x", "What *is* seen. And more.", ".svg", b"<svg/>")
    ]


def test_a_cell_without_a_picture_has_no_figure():
    assert list(gallery.figures(new_notebook(cells=[figure({"text/plain": "f"})]))) == []
