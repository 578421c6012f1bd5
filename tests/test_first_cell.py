"""The first code cell of every notebook: one text, that installs this release in Colab and changes nothing else."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest

pytest.importorskip("IPython", reason="needs the extra `book`: pip install -e '.[book]'")
from IPython.core.inputtransformer2 import TransformerManager

from decondense.book import cells

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = "train,evaluate,cli"  # what notebooks need; `book` would bring a second kernel and the makers of the site
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EACH = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def first(notebook):
    return next(cell for cell in cells.read(notebook) if cell["cell_type"] == "code")


def as_python(source):
    return TransformerManager().transform_cell(source)


class Shell:
    """In place of IPython: notes what a line magic is told, with the names in braces filled in."""

    def __init__(self, space):
        self.space, self.told = space, []

    def run_line_magic(self, name, line):
        self.told.append((name, line.format(**self.space)))


@pytest.fixture
def run(monkeypatch):
    """Run the first cell as Jupyter does, but install nothing; the modules `missing` seem not to be there."""

    def run(missing=()):
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else real(name))
        space = {}
        shell = Shell(space)
        space["get_ipython"] = lambda: shell
        exec(compile(as_python(first(NOTEBOOKS[0])["source"]), "first cell", "exec"), space)  # noqa: S102, as Jupyter does
        return shell.told

    return run


def test_all_notebooks_have_the_same_first_cell():
    assert len(NOTEBOOKS) > 1
    assert len({first(notebook)["source"] for notebook in NOTEBOOKS}) == 1
    assert {tuple(first(notebook)["metadata"]["tags"]) for notebook in NOTEBOOKS} == {("colab",)}


def test_installs_nothing_where_the_package_is(run, capsys):
    assert run() == []
    assert capsys.readouterr().out.count("device ") == 1


def test_installs_the_tag_of_this_version_and_keeps_numpy_and_torch(run):
    release = f"decondense[{EXTRAS}] @ git+{PROJECT['urls']['Repository']}@v{PROJECT['version']}"
    kept = f"numpy=={metadata.version('numpy')} torch=={metadata.version('torch')}"
    assert run(missing=["decondense"]) == [("pip", f'install -q "{release}" {kept}')]


def test_asks_for_no_version_of_what_is_not_there(run):
    ((_, line),) = run(missing=["decondense", "numpy", "torch"])
    assert line.split('"')[2].strip() == ""


def test_numpy_and_torch_are_not_loaded_before_pip_has_run():
    """Else an installation could replace what the kernel holds already."""
    before = as_python(first(NOTEBOOKS[0])["source"]).split("from decondense")[0]
    stopped = re.sub(r"get_ipython\(\)\.run_line_magic\(.*\)", "pass", before)
    code = f"{stopped}\nimport sys; print({{'numpy', 'torch', 'pandas'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@EACH
def test_nothing_stands_before_it_but_the_heading(notebook):
    kinds = [cell["cell_type"] for cell in cells.read(notebook)[:2]]
    assert kinds == ["markdown", "code"]


@EACH
def test_no_other_cell_installs_anything(notebook):
    rest = [cell["source"] for cell in cells.read(notebook) if cell["cell_type"] == "code"][1:]
    assert not [source for source in rest if re.search(r"(?m)^\s*[%!]", source)]


@EACH
def test_needs_no_package_of_the_other_extras(notebook):
    """A notebook in Colab may import what the first cell installs, and the standard library."""
    extras = chain(*(PROJECT["optional-dependencies"][extra] for extra in EXTRAS.split(",")))
    allowed = {re.match(r"[\w.-]+", r)[0].replace("-", "_").lower() for r in chain(PROJECT["dependencies"], extras)}
    allowed |= {"decondense", "IPython"} | sys.stdlib_module_names
    sources = [as_python(cell["source"]) for cell in cells.read(notebook) if cell["cell_type"] == "code"]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported <= allowed
