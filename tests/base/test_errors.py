"""Errors that name the cure."""

import re
import tomllib
from pathlib import Path

from decondense.base import errors
from decondense.base.errors import INSTALL, printable, unknown


def test_nearest_name_comes_first_whatever_its_case():
    error = unknown("corpus", "WIKITEXT2", ["imdb", "Wikitext-2"])
    assert isinstance(error, ValueError)
    assert str(error) == "Unknown corpus 'WIKITEXT2'. Did you mean 'Wikitext-2'? Known: imdb, Wikitext-2."


def test_no_guess_when_nothing_is_near():
    assert str(unknown("source", "xyz", iter(["hub", "local"]))) == "Unknown source 'xyz'. Known: hub, local."


def test_extras_to_install_are_those_that_there_are():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r' "\.\[(.*)\]" ', INSTALL)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_an_extra_is_installed_as_the_readme_does(monkeypatch, tmp_path):
    """In a clone with the pins; from elsewhere by the clone's path; without a clone by name."""
    root = Path(__file__).parents[2]
    assert errors.installs("cli", "train") == "python -m pip install -e '.[cli,train]' -c constraints.txt"
    assert errors.installs("cli").removesuffix("'.[cli]' -c constraints.txt") in (root / "README.md").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(errors, "CLONE", tmp_path / "a clone")
    assert errors.installs("cli") == "python -m pip install 'decondense[cli]'"
    (tmp_path / "a clone").mkdir()
    (tmp_path / "a clone" / "constraints.txt").touch()
    at = f"{tmp_path}/a clone"
    assert errors.installs("cli") == f"python -m pip install -e '{at}[cli]' -c '{at}/constraints.txt'"


def test_many_names_are_not_all_printed_where_they_can_be_listed():
    known = [f"model-{i}" for i in range(30)]
    said = str(unknown("model", "model-1x", known, "list() does"))
    assert said.startswith("Unknown model 'model-1x'. Did you mean 'model-1' or 'model-")
    assert said.endswith("'? 30 are known: list() does.")
    assert str(unknown("model", "nodel", known[:20], "list() does")).endswith("Known: " + ", ".join(known[:20]) + ".")
    assert "model-29" in str(unknown("model", "x", known))


def test_what_does_not_print_becomes_escapes():
    assert printable("plain μ, 日本 ok") == "plain μ, 日本 ok"
    assert printable("\x1b[31m\x07\n\x9b\udcff\u202e") == r"\x1b[31m\x07\n\x9b\udcff\u202e"
