"""What a page is told to be wrong with: one fault a page, which is found, and a page without any."""

import pytest
from looks import pages
from looks.pages import MODES

WORDS = "Words that stand for a page which is long enough to be one. " * 5
PAGE = """<!doctype html><html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ margin: 8px; color: #111; background: #fff }} article {{ overflow-wrap: anywhere }} {style}</style>
</head><body><nav class="bd-links"><a href="page.html">Page</a></nav><main><article><h1 id="top">A page</h1>
<p>{words}</p>{body}</article></main></body></html>"""
CELL = '<div class="cell_output">{}</div>'
FAULTS = {
    "wide page": ("overflow", "<div style='width: 2000px'>wide</div>"),
    "wide table": ("overflow", "<table><tr><th style='min-width: 1500px'>wide</th></tr></table>"),
    "cut": ("overflow", "<div style='width: 50px; overflow: hidden; white-space: nowrap'>A line that is cut</div>"),
    "pale": ("contrast", "<p style='color: #999'>pale</p>"),
    "faded": ("contrast", "<p style='opacity: 0.4'>faded</p>"),
    "pale on grey": ("contrast", "<div style='background: #ddd'><p style='color: #777'>pale</p></div>"),
    "link": ("link by colour", "<p>See <a href='#top' style='color: #222; text-decoration: none'>this</a> here.</p>"),
    "small": ("small type", "<p style='font-size: 8px'>small</p>"),
    "small in a drawing": (
        "small type",
        "<svg width='100' height='50' viewBox='0 0 200 100'><text y='20' font-size='16px'>small</text></svg>",
    ),
    "no alt": ("alt text", "<img src='dot.svg' width='20'>"),
    "a file as alt": ("alt text", "<img src='dot.svg' alt='../images/dot.svg' width='20'>"),
    "button": ("names", "<button><svg width='9' height='9'></svg></button>"),
    "input": ("names", "<input type='text'>"),
    "label of nothing": ("names", "<p aria-labelledby='gone'>text</p>"),
    "second title": ("headings", "<h1>Another</h1>"),
    "step": ("headings", "<h3>Too deep</h3>"),
    "same id": ("ids", "<p id='top'>text</p>"),
    "tab order": ("order", "<a href='#top' tabindex='3'>text</a>"),
    "list": ("lists", "<ul><p>no item</p></ul>"),
    "long": ("length", "<div style='height: 12001px'></div>"),
    "no head": ("table heads", "<table><tr><td>1</td></tr></table>"),
    "series": ("raw output", CELL.format("<pre>runs 2\ndtype: object</pre>")),
    "object": ("raw output", CELL.format("<pre>&lt;X at 0x7fa8b00c&gt;</pre>")),
    "precision": ("precision", CELL.format("<pre>-0.4987625181</pre>")),
    "index": (
        "index column",
        "<table class='dataframe'><thead><tr><th></th><th>a</th></tr></thead>"
        "<tbody><tr><th>0</th><td>x</td></tr><tr><th>1</th><td>y</td></tr></tbody></table>",
    ),
    "markup": ("markup", "<p>See {ref}`here`</p>"),
    "formula": ("markup", r"<p>The mean \(\mu\)</p>"),
    "dead link": ("links", "<a href='gone.html'>text</a>"),
    "dead place": ("links", "<a href='page.html#gone'>text</a>"),
    "console": ("console", "<script>console.error('something')</script>"),
    "exception": ("console", "<script>nothing.there()</script>"),
}
FINE = {
    "scrolls in its box": "<div style='overflow-x: auto'>{}</div>".format(FAULTS["wide table"][1]),
    "for screen readers": "<span style='position: absolute; width: 1px; height: 1px; overflow: hidden'>Skip it</span>",
    "large and pale": "<p style='color: #888; font-size: 24px'>large</p>",
    "hidden": "<p style='color: #eee; display: none'>hidden</p>",
    "labelled": "<label>Name <input type='text'></label> <input aria-label='Search'>",
    "folded": "<details><summary>More</summary><div style='height: 12001px'></div></details>",
    "alt": "<img src='dot.svg' alt='A dot' width='20'>",
    "code": "<p>Write <code>\\(x\\) and **this**</code></p>",
    "numbers": CELL.format("<pre>0.4988 29754.6 1024 2.13.0 1.00001e-05</pre>"),
    "place": "<a href='page.html#top'>text</a> <a href='https://example.org/'>text</a>",
}


@pytest.fixture
def found(tab, tmp_path):
    """What is found on a page with this body; `contents` is what its side bar should have."""
    (tmp_path / "dot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>")

    def look(body="", style="", words=WORDS, contents=None):
        page = PAGE.format(style=style, words=words, body=body)
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        pages.anchors.cache_clear()
        return list(pages.look(tab, tmp_path, "page", contents))

    return look


@pytest.mark.parametrize(("check", "body"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found(found, check, body):
    assert {finding.check for finding in found(body)} == {check}


def test_an_image_that_is_lost_is_found(found):
    assert {finding.check for finding in found("<img src='gone.png' alt='A dot'>")} == {"links", "console"}


def test_nothing_is_found_where_nothing_is_wrong(found):
    assert found("".join(FINE.values())) == []


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_is_looked_at(found, mode):
    """A fault that one mode alone shows."""
    narrow = "(max-width: 400px)" if mode == "phone" else "(min-width: 401px)"
    scheme = "light" if mode == "phone" else mode
    style = f"@media {narrow} and (prefers-color-scheme: {scheme}) {{ p {{ color: #ccc }} }}"
    assert {(finding.mode, finding.check) for finding in found(style=style)} == {(mode, "contrast")}


def test_an_empty_page_is_found(found):
    assert {finding.check for finding in found(words="")} == {"empty"}


def test_a_page_without_language_title_and_main_part_is_found(tab, tmp_path):
    (tmp_path / "page.html").write_text(f"<html><body><h1>A page</h1><p>{WORDS}</p></body></html>")
    found = {finding.check for finding in pages.look(tab, tmp_path, "page")}
    assert found >= {"language", "title", "landmarks", "zoom"}


def test_a_page_that_the_side_bar_lacks_is_found(found):
    (finding,) = found(contents=["page", "other"])
    assert (finding.check, finding.what) == ("contents", "other is not in the side bar")


def test_pages_are_counted_against_the_table_of_contents(tmp_path):
    for name in ("book/intro", "book/stray"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").touch()
    said = {finding.page: finding.what for finding in pages.lost(tmp_path, ["book/intro", "notebooks/01_a"])}
    assert said == {"book/stray": "is in no table of contents", "notebooks/01_a": "was not built"}


def test_a_page_that_is_looked_up_may_be_long(tab, tmp_path):
    (tmp_path / "book").mkdir()
    body = "<div style='height: 12001px'></div>"
    (tmp_path / "book" / "api.html").write_text(PAGE.format(style="", words=WORDS, body=body), encoding="utf-8")
    assert "length" not in {finding.check for finding in pages.look(tab, tmp_path, "book/api")}
