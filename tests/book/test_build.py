"""The book: cleaning, table of contents, scorecard, and one real build that must need no network."""

import base64
import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("jupyter_book", reason="needs the extra `book`: pip install -e '.[book]'")
import nbformat
from docutils import nodes
from docutils.core import publish_doctree
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from decondense.book import build, headlines, heads, kept, scorecard
from decondense.book.shown import Run

ROOT = Path(__file__).parents[2]
STAMP = {"seconds": 12.34, "utc": "2026-01-02T03:04:05.000006+00:00", "versions": {"torch": "2.9.1"}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
assert base64.b64decode(PIXEL).startswith(b"\x89PNG")


def extension(name):
    """A local Sphinx extension, imported from its file."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def offline():
    return extension("offline")


def code(*outputs, tags=(), **metadata):
    return new_code_cell("pass", outputs=list(outputs), metadata={"tags": list(tags), **metadata})


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def error():
    return new_output("error", ename="ValueError", evalue="no model\nsecond line", traceback=[])


def toy(heading="Toy"):
    figure = {"mystnb": {"figure": {"name": f"fig-{heading.lower()}", "caption": "A red pixel."}}}
    return new_notebook(
        metadata={"kernelspec": build.KERNEL},
        cells=[
            new_markdown_cell(
                f"# {heading}\n\nSee {{numref}}`fig-{heading.lower()}`, $\\mu \\in [0, 1]$, "
                "{cite:t}`liu2026dispersion`.\n\n$$\\mu = \\frac{1}{N^2}$$"
            ),
            code(stream("Installing\n"), tags=["colab"]),
            code(tags=["injected-parameters"]),
            code(stream("1 %\r100 %\n"), stream("a warning", "stderr")),
            code(new_output("display_data", data={"image/png": PIXEL}), **figure),
        ],
    )


def verdicts(name, records=()):
    claims = [
        {"claim": f"rho < {i} & | falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5", "rule": "0.1"}
        | {"kind": "experiment", "power": "", "tests": 1, "repeats": "", "verdict": verdict, "why": "because"}
        for i, verdict in enumerate(scorecard.BADGES)
    ]
    return {"notebook": name, "profile": "ci", "claims": claims, "records": list(records)}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one notebook that is done, one that failed and one that was not executed, in profile ci."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    not_benchmarks = lambda folder, names: [n for n in names if Path(folder).name == "results" and n[:6] != "bench-"]
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=not_benchmarks)
    executed, records = tmp_path / "build" / "ci" / "notebooks", tmp_path / "build" / "ci" / "records"
    for folder in (tmp_path / "notebooks", executed, records):
        folder.mkdir(parents=True)
    for name in ("00_start_here", "06_fig3_widths", "20_audit_texts"):
        nbformat.write(toy(name[3:8]), tmp_path / "notebooks" / f"{name}.ipynb")
    done = toy("start")
    done.cells.append(new_markdown_cell("Compare {numref}`fig-fig3_`, whose notebook failed."))
    done.cells.append(new_markdown_cell("Badge for Colab only", metadata={"tags": ["colab"]}))
    nbformat.write(done, executed / "00_start_here.ipynb")
    (executed / "00_start_here.json").write_text(json.dumps(STAMP))
    failed = toy("fig3_")
    failed.cells.append(code(error()))
    nbformat.write(failed, executed / "06_fig3_widths.ipynb")
    (records / "verdicts-start.json").write_text(json.dumps(verdicts("00_start_here", ["start-seed0-abc.json"])))
    (records / "verdicts-fig3.json").write_text(json.dumps(verdicts("06_fig3_widths", ["gone.json"])))
    (records / "start-seed0-abc.json").write_text('{"experiment": "start"}')
    head = {"kind": "own", "claim": "It is red.", "verdicts": ["rho"], "figure": "fig-start", "change": "A blue one."}
    monkeypatch.setattr(heads, "table", lambda: {"start": head, "audit": head | {"figure": "fig-audit"}})
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


# --- cleaning -------------------------------------------------------------------------------------------------------


def test_clean_drops_what_a_reader_cannot_use():
    widget = new_output("display_data", data={build.WIDGET: {"model_id": "1"}, "text/plain": "Box()"})
    notebook = new_notebook(
        metadata={"widgets": {"state": {}}}, cells=[code(widget, stream("w", "stderr"), stream("a"))]
    )
    cleaned = build.clean(notebook, "00_start_here")
    assert "widgets" not in cleaned.metadata
    assert [o.text for o in cleaned.cells[0].outputs] == ["a"]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("1 %\r50 %\r100 %\n", "100 %\n"),
        ("a\n1 %\r2 %\nb\n", "a\n2 %\nb\n"),
        ("windows\r\nline\r\n", "windows\nline\n"),
        ("1 %\r2 %\r", "2 %"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_clean_keeps_the_last_state_of_progress_lines(text, seen):
    assert build.clean(new_notebook(cells=[code(stream(text))]), "n").cells[0].outputs[0].text == seen


def test_clean_removes_the_cell_for_colab_and_shows_the_parameters_that_were_used():
    notebook = new_notebook(cells=[code(tags=["colab"]), code(tags=["parameters"]), code(tags=["injected-parameters"])])
    notebook.cells[2].source = "# Parameters\nN = 3\n"
    cells = build.clean(notebook, "n").cells
    folded = [["parameters", "hide-cell"], ["injected-parameters", "hide-cell"]]
    assert [cell.metadata.tags for cell in cells] == [["colab", "remove-cell"], *folded]
    assert cells[2].source == "# In this run, instead of the above:\nN = 3\n"


def test_clean_refuses_an_error_in_a_notebook_that_counts_as_done():
    with pytest.raises(ValueError, match=r"06_fig3_x .*ValueError: no model\. Run .*--only fig3 --fresh"):
        build.clean(new_notebook(cells=[code(error())]), "06_fig3_x")


# --- states -----------------------------------------------------------------------------------------------------------


def test_find_pages_tells_done_failed_and_not_executed(repository):
    pages = build.find_pages(repository, repository / "build" / "ci")
    assert [page.state for page in pages] == ["done", "failed", "not executed"]


NOW = "2026-02-03T09:30:00+00:00"


@pytest.fixture
def keeps(repository, monkeypatch):
    """The repository keeps the audit's page, and its books show what is kept."""
    stamp = STAMP | {"utc": "2025-12-24T18:00:00+00:00"}
    executed = toy("audit")
    executed.cells[3].outputs = [stream("as it was committed")]
    kept.write(repository, "20_audit_texts", build.clean(executed, "20_audit_texts"), stamp, "laptop")
    monkeypatch.setattr(build, "shows_committed", lambda profile: True)
    return repository


def states(repository, *waiting):
    run = Run(NOW, frozenset(waiting)) if waiting else None
    return [page.state for page in build.find_pages(repository, repository / "build" / "ci", run)]


def test_a_page_that_was_not_executed_shows_what_is_kept_of_it(keeps):
    assert states(keeps) == ["done", "failed", "committed run"]
    *_, page = build.find_pages(keeps, keeps / "build" / "ci")
    said = str(build.finished(page, "ci").cells)
    assert "as it was committed" in said
    assert "Shown is the committed run of 2025-12-24 18:00 UTC (profile <code>laptop</code>)" in said


def test_where_a_profile_does_not_allow_it_nothing_of_the_committed_run_is_shown(keeps, monkeypatch):
    monkeypatch.setattr(build, "shows_committed", lambda profile: False)
    assert states(keeps) == ["done", "failed", "not executed"]


def test_while_a_run_goes_on_a_half_written_notebook_is_no_failure(keeps):
    assert states(keeps, "start", "fig3", "audit") == ["done", "waiting", "committed run"]
    start, fig3, audit = build.find_pages(keeps, keeps / "build" / "ci", run := Run(NOW, frozenset(["start", "fig3"])))
    assert "an earlier run" in str(build.finished(start, "ci", run).cells[0])
    text = build.finished(fig3, "ci", run).cells[0].source
    assert "The run begun 2026-02-03 09:30 UTC has yet to execute this notebook" in text
    assert "not executed in the run" in str(build.finished(audit, "ci", run).cells[0])  # it is not one of this run's


def test_outputs_of_other_code_are_not_shown(keeps):
    changed = toy("audit")
    changed.cells[3].source = "other()"
    nbformat.write(changed, keeps / "notebooks" / "20_audit_texts.ipynb")
    assert states(keeps) == ["done", "failed", "not executed"]


def test_keep_pages_keeps_those_that_are_done(repository):
    written = build.keep_pages(repository, "ci")
    assert [path.name for path in written] == ["00_start_here.json.gz"]
    assert kept.read(repository, "00_start_here")["utc"] == STAMP["utc"]


def test_verdicts_of_a_committed_page_are_counted_with_their_records(keeps, monkeypatch):
    results = keeps / "book" / "results"
    (results / "verdicts-audit.json").write_text(json.dumps(verdicts("20_audit_texts", ["audit-seed0-1.json"])))
    (results / "audit-seed0-1.json").write_text('{"experiment": "audit"}')
    only_staged(monkeypatch, keeps / "build" / "ci" / "staging")
    monkeypatch.setattr(headlines, "table", lambda: [])  # they are of other pages
    for path in (keeps / "book").glob("*.md"):  # they ask for the verdicts of other pages
        path.write_text(f"# {path.stem}\n")
    build.build("ci")
    here = keeps / "build" / "ci"
    page = (here / "staging" / "book" / "scorecard.md").read_text()
    assert "Notebooks: 1 done, 1 failed, 0 not executed, 1 committed run." in page
    assert "Committed run: [](../notebooks/20_audit_texts.ipynb)" in page
    assert page.index("00_start_here.html") < page.index("20_audit_texts.html")
    assert json.loads((here / "book" / "records" / "audit-seed0-1.json").read_text()) == {"experiment": "audit"}


def only_staged(monkeypatch, staging):
    """Sphinx is left out: its site has a page and what was in its folder before."""

    def without_sphinx(folder):
        assert folder == staging
        site = folder / "_build" / "html"
        site.mkdir(parents=True, exist_ok=True)
        (site / "index.html").write_text("index")
        return site

    monkeypatch.setattr(build, "_run_jupyter_book", without_sphinx)


def test_a_book_that_is_made_again_touches_only_what_changed(repository, monkeypatch):
    here = repository / "build" / "ci"
    only_staged(monkeypatch, here / "staging")
    build.build("ci")
    (here / "staging" / "_build" / "read before").touch()
    staged = lambda name: (here / "staging" / "notebooks" / f"{name}.ipynb").stat().st_mtime_ns
    before = {name: staged(name) for name in ("00_start_here", "06_fig3_widths", "20_audit_texts")}
    nbformat.write(toy("audit"), here / "notebooks" / "20_audit_texts.ipynb")
    (here / "records" / "verdicts-audit.json").write_text(json.dumps(verdicts("20_audit_texts", [])))
    (here / "notebooks" / "20_audit_texts.json").write_text(json.dumps(STAMP))
    build.build("ci", again=True)
    assert (here / "staging" / "_build" / "read before").exists()
    assert [name for name in before if staged(name) != before[name]] == ["20_audit_texts"]
    build.build("ci")
    assert not (here / "staging" / "_build" / "read before").exists()


def test_pages_without_a_result_say_so_and_name_the_command(repository):
    _, failed, absent = build.find_pages(repository, repository / "build" / "ci")
    text = build.finished(failed, "ci").cells[0].source
    assert text.startswith("# fig3_\n")
    assert "failed in this run" in text
    assert "ValueError: no model\n" in text
    assert "nox -s reproduce -- --profile ci --only fig3 --fresh" in text
    assert "not executed in this run" in build.finished(absent, "ci").cells[0].source


def test_a_finished_page_ends_with_its_provenance(repository):
    done = build.find_pages(repository, repository / "build" / "ci")[0]
    line = build.finished(done, "ci").cells[-1].source
    for part in ("<code>ci</code>", "2026-01-02 03:04 UTC", "12.3 s", "torch 2.9.1", "--only start --fresh"):
        assert part in line


def test_build_says_what_to_do_when_nothing_was_executed(repository):
    with pytest.raises(FileNotFoundError, match="nox -s reproduce -- --profile laptop"):
        build.build("laptop")
    with pytest.raises(ValueError, match=r"Unknown profile 'laptpo'\. Did you mean 'laptop'"):
        build.build("laptpo")


# --- docstrings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "rst"),
    [
        ("takes `x` and `y`.", "takes ``x`` and ``y``."),
        ("N(0, `std`^2)", r"N(0, ``std``\ ^2)"),
        ("over |z|^2 * w, z_i and trailing_ too", r"over \|z\|^2 \* w, z_i and trailing\_ too"),
        ("`a * b` stays", "``a * b`` stays"),
    ],
)
def test_docstrings_become_rst_that_shows_the_same(plain, rst):
    assert extension("docstrings").as_rst([plain]) == [rst]


def test_docstrings_keep_code_and_list_their_errors():
    lines = ["Use it::", "", "    f(*x)  # `x`", "", "Raises", "    ValueError: no `x`,", "        none.", "", "S*rce"]
    assert extension("docstrings").as_rst(lines) == [
        *lines[:5], "    * ``ValueError``: no ``x``,", "      none.", "", r"S\*rce",
    ]  # fmt: skip


# --- terms ----------------------------------------------------------------------------------------------------------


def test_a_definition_in_one_sentence():
    assert (
        extension("terms").first_sentence("The mean\n of all, at L = 0.5. Near 0 it is low.")
        == "The mean of all, at L = 0.5."
    )


# --- alternative texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (".. figure:: a.png\n\n   Mean :math:`\\mu` over\n   depth.", "Mean mu over depth."),
        ("Depth\n=====\n\n.. image:: a.png", "A figure of the section: Depth"),
        (".. image:: a.png", "A figure"),
        (".. figure:: a.png\n   :alt: Own words.\n\n   A caption.", "Own words."),
    ],
)
def test_every_image_has_an_alt_text(source, said):
    document = publish_doctree(source, settings_overrides={"doctitle_xform": False})
    extension("alt_text").describe(None, document, "page")
    assert [image["alt"] for image in document.findall(nodes.image)] == [said]


def test_the_slider_of_an_animation_has_a_name():
    slider = '<input id="_anim_slider1" type="range">'
    document = publish_doctree(f"A page\n\n.. raw:: html\n\n   {slider}")
    extension("alt_text").describe(None, document, "page")
    (raw,) = document.findall(nodes.raw)
    assert raw.astext() == '<input aria-label="Frame of the animation" id="_anim_slider1" type="range">'


# --- the whole book -------------------------------------------------------------------------------------------------


def test_build_gives_a_book_that_needs_no_network_and_tells_no_folder(repository, offline):
    """One build for all that is asked of a whole site: it takes many seconds."""
    start = repository / "build" / "ci" / "notebooks" / "00_start_here.ipynb"
    said = f"{repository}/src/x.py:1 {Path.home()}/.cache/y /home/somebody/z\n"
    notebook = nbformat.read(start, as_version=4)
    notebook.cells.append(new_code_cell("pass", id="said", outputs=[stream(said)]))
    nbformat.write(notebook, start)
    index = build.build("ci")
    site = index.parent
    assert index == repository / "build" / "ci" / "book" / "index.html"
    assert offline.external_requests(site) == []
    page = (site / "notebooks" / "00_start_here.html").read_text()
    assert re.search(r"Figure R\d+", page)
    assert 'alt="A red pixel."' in page
    assert "mathjax/tex-chtml.js" in page
    assert (site / "_static" / "mathjax" / "tex-chtml.js").exists()
    assert "Installing" not in page
    assert "This book&#8217;s own question" in page.replace("’", "&#8217;")
    assert re.search(r'<a href="#fig-start"><img alt="A red pixel\." src="\.\./_images/fig-start\d*\.png"', page)
    assert 'id="fig-start"' in page
    assert "Show settings of this run" in page
    assert "Badge for Colab only" not in page
    assert "sphinx-thebe.js" not in page
    repo = "decondense/decondense"
    assert f"https://colab.research.google.com/github/{repo}/blob/main/notebooks/00_start_here.ipynb" in page
    assert "ValueError: no model" in (site / "notebooks" / "06_fig3_widths.html").read_text()
    assert json.loads((site / "records" / "start-seed0-abc.json").read_text()) == {"experiment": "start"}
    api = (site / "book" / "api.html").read_text()
    for name in ("decondense.measure", "decondense.hooks.residual_stream", "decondense.losses.dispersion"):
        assert f'id="{name}"' in api
    assert "<!--" not in (site / "book" / "faq.html").read_text().partition("<article")[2].partition("</article")[0]
    glossary = (site / "book" / "glossary.html").read_text()
    title = "A place in the residual stream: the embedding output, the output of a block"
    assert re.search(rf'<a class="term reference internal" href="#term-entry" title="{title}', glossary)
    gallery = (site / "book" / "gallery.html").read_text()
    assert 'href="../notebooks/00_start_here.html#fig-start"' in gallery
    assert (site / "_static" / "filter.js").exists()
    assert "filter.js" in (site / "book" / "scorecard.html").read_text()
    assert "./src/x.py:1 ~/.cache/y ~/z" in page
    assert "./src/x.py:1 ~/.cache/y ~/z" in (site / "_sources" / "notebooks" / "00_start_here.ipynb").read_text()
    nbformat.write(toy("audit"), repository / "build" / "ci" / "notebooks" / "20_audit_texts.ipynb")
    of_audit = json.dumps(verdicts("20_audit_texts", []))
    (repository / "build" / "ci" / "records" / "verdicts-audit.json").write_text(of_audit)
    (repository / "build" / "ci" / "notebooks" / "20_audit_texts.json").write_text(json.dumps(STAMP))
    faq = site / "book" / "faq.html"
    before = faq.stat().st_mtime_ns
    assert "not executed in this run" in (site / "notebooks" / "20_audit_texts.html").read_text()
    assert build.build("ci", again=True) == index
    assert "Shown is this run, of 2026-01-02 03:04 UTC" in (site / "notebooks" / "20_audit_texts.html").read_text()
    assert faq.stat().st_mtime_ns == before


def test_build_names_a_page_without_a_verdict(repository):
    (repository / "build" / "ci" / "records" / "verdicts-start.json").unlink()
    with pytest.raises(ValueError, match="00_start_here has no verdict"):
        build.build("ci")


def test_build_shows_sphinx_warnings_and_keeps_the_last_good_book(repository):
    old = repository / "build" / "ci" / "book"
    old.mkdir()
    (old / "index.html").write_text("old")
    for path in (repository / "book").glob("*.md"):  # short pages: what they say is built above
        path.write_text(f"# {path.stem}\n")
    (repository / "book" / "intro.md").write_text(
        '# Intro\n\n{cite:p}`nobody2026`\n\n<img src="https://example.org/badge.svg">\n'
    )
    with pytest.raises(RuntimeError, match=r"(?s)intro\.md.*nobody2026.*intro\.html: https://example\.org/badge\.svg"):
        build.build("ci")
    assert (old / "index.html").read_text() == "old"


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img srcset="a.png 1x, https://cdn.example/b.png 2x">',
        "<style>@import url(https://cdn.example/x.css);</style>",
        '<div style="background: url(https://cdn.example/x.png)"></div>',
    ],
)
def test_external_requests_are_found(offline, tmp_path, html):
    (tmp_path / "page.html").write_text(html)
    assert len(offline.external_requests(tmp_path)) == 1


def test_external_requests_are_not_links_nor_prose(offline, tmp_path):
    links = '<a href="https://example.org">x</a><link rel="canonical" href="https://example.org"><img src="a.png">'
    (tmp_path / "page.html").write_text(links + "<p>url(https://example.org)</p>")
    (tmp_path / "page.css").write_text("a { background: url(data:image/png;base64,AA) }")
    assert offline.external_requests(tmp_path) == []
    (tmp_path / "page.css").write_text("@import 'https://example.org/font.css';")
    assert offline.external_requests(tmp_path) == ["page.css: https://example.org/font.css"]


def test_build_refuses_a_site_that_would(repository, monkeypatch):
    def without_sphinx(staging):
        page = staging / "_build" / "html" / "book" / "intro.html"
        page.parent.mkdir(parents=True)
        page.write_text("Look into <code>/home/somebody/x</code>.")
        return staging / "_build" / "html"

    monkeypatch.setattr(build, "_run_jupyter_book", without_sphinx)
    with pytest.raises(RuntimeError, match=r"(?s)names of this machine.*book/intro\.html: /home/somebody"):
        build.build("ci")
    assert not (repository / "build" / "ci" / "book").exists()
