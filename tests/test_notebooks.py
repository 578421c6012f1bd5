"""The notebooks as they are in git: clean, short, and in the form that the runner and the book need."""

import ast
import importlib
import inspect
import re
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from decondense.book import cells, folds

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SETTING = re.compile(r"`--set '?(\w+)=([^'`]+)'?`")
FOLDED = {"plan", "planned", "power", "origin", "check_run"}  # what a cell calls
EACH = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def code(notebook):
    return [cell for cell in cells.read(notebook) if cell["cell_type"] == "code"]


def tagged(notebook, tag):
    return [cell for cell in code(notebook) if tag in cell["metadata"].get("tags", [])]


def tree(cell):
    """The cell as Python; line magics are none."""
    return ast.parse(re.sub(r"(?m)^([ \t]*)[%!].*$", r"\1pass", cell["source"]))


def imported(notebook):
    """What a notebook imports of this package, by the names that it gives it."""
    found = {}
    for node in (node for cell in code(notebook) for node in ast.walk(tree(cell)) if isinstance(node, ast.ImportFrom)):
        for alias in node.names if (node.module or "").startswith("decondense") else ():
            found[alias.asname or alias.name] = resolved(node.module, alias.name)
    return found


def resolved(module, name):
    with suppress(ImportError):
        return importlib.import_module(f"{module}.{name}")
    return getattr(importlib.import_module(module), name)


def draws(cell, names):
    """Whether a cell calls what returns a figure: the method `plot`, or a function of this package that says so."""
    for call in (node.func for node in ast.walk(tree(cell)) if isinstance(node, ast.Call)):
        called = names.get(getattr(call, "id", None))
        if isinstance(call, ast.Attribute) and (owner := names.get(getattr(call.value, "id", None))):
            called = getattr(owner, call.attr)
        gives = inspect.signature(called).return_annotation if called else None
        if gives is Figure or getattr(call, "attr", None) == "plot":
            return True
    return False


def test_names_are_numbered_and_their_ids_unique():
    names = [re.fullmatch(r"(\d\d)_([A-Za-z0-9]+)(_\w+)?", path.stem) for path in NOTEBOOKS]
    assert all(names)
    assert len({name[1] for name in names}) == len({name[2] for name in names}) == len(NOTEBOOKS)


@EACH
def test_no_outputs_and_no_counts(notebook):
    for cell in code(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@EACH
def test_one_cell_of_plain_parameters(notebook):
    (cell,) = tagged(notebook, "parameters")
    for node in tree(cell).body:
        assert isinstance(node, ast.Assign)
        assert node.targets[0].id.isupper()
        ast.literal_eval(node.value)


@EACH
def test_every_parameter_is_read(notebook):
    defined, _ = cells.takes(notebook)
    cells.check_parameters(notebook, defined)


@EACH
def test_nothing_is_defined_that_a_test_should_see(notebook):
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert not [node for cell in code(notebook) for node in ast.walk(tree(cell)) if isinstance(node, defining)]


@EACH
def test_code_cells_are_short(notebook):
    long = [cell["id"] for cell in code(notebook) if len(cell["source"].splitlines()) > 15]
    assert long == []


@EACH
def test_code_lines_are_at_most_120_columns(notebook):
    assert not [line for cell in code(notebook) for line in cell["source"].splitlines() if len(line) > 120]


@EACH
def test_starts_with_a_heading_and_has_no_other_of_its_level(notebook):
    first, *rest = cells.read(notebook)
    assert first["cell_type"] == "markdown"
    assert re.match(r"# \S", first["source"])
    assert not [c for c in rest if c["cell_type"] == "markdown" and re.search(r"(?m)^# ", c["source"])]


@EACH
def test_colab_cell_installs_this_release_from_the_repository(notebook):
    (cell,) = tagged(notebook, "colab")
    assert PROJECT["urls"]["Repository"] in cell["source"]
    assert re.search(rf"\bv?{re.escape(PROJECT['version'])}(?![.\d]*\d)", cell["source"])


def calls(cell):
    called = [node.func for node in ast.walk(tree(cell)) if isinstance(node, ast.Call)]
    return {func.attr for func in called if isinstance(func, ast.Attribute)}


@EACH
def test_plans_power_origins_and_check_runs_are_folded(notebook):
    for cell in code(notebook):
        if "figure" not in cell["metadata"].get("mystnb", {}) and calls(cell) & FOLDED:
            assert set(cell["metadata"].get("tags", [])) & folds.FOLDED.keys(), cell["id"]


@EACH
def test_a_page_ends_with_exercises_and_with_parameters_to_change(notebook):
    text = "\n".join(cell["source"] for cell in cells.read(notebook) if cell["cell_type"] == "markdown")
    assert text.count("<details><summary>Solution</summary>") == 2
    settings = dict(SETTING.findall(text))
    assert len(settings) == 2
    cells.check_parameters(notebook, settings)
    cells.check_types(notebook, {name: read_value(value) for name, value in settings.items()})


def read_value(text):
    """As `decondense reproduce --set` reads it."""
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


@EACH
def test_no_absolute_paths(notebook):
    sources = "\n".join(cell["source"] for cell in cells.read(notebook))
    assert not re.search(r"""["'(\s](/(home|root|tmp|work|Users|content|mnt)\b|~/|[A-Z]:\\)""", sources)


@EACH
def test_every_figure_has_a_name_and_a_caption(notebook):
    names = imported(notebook)
    for cell in code(notebook):
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        assert draws(cell, names) == (figure is not None), cell["id"]
        if figure:
            assert re.fullmatch(r"[a-z0-9-]+", figure["name"])
            assert figure["caption"].strip().endswith(".")
            alt = cell["metadata"]["mystnb"]["image"]["alt"]
            assert len(alt) >= 40, alt
            assert alt.endswith("."), alt
            assert alt != figure["caption"]


def test_names_of_figures_are_unique():
    figures = [c["metadata"].get("mystnb", {}).get("figure") for path in NOTEBOOKS for c in code(path)]
    names = [figure["name"] for figure in figures if figure]
    assert len(set(names)) == len(names)


def test_cell_ids_are_unique():
    ids = [cell["id"] for path in NOTEBOOKS for cell in cells.read(path)]
    assert len(set(ids)) == len(ids)
