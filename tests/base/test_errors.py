"""Errors that name the cure."""

import re
import tomllib
from pathlib import Path

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
