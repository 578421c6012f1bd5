"""Errors that name the cure."""

import re
import tomllib
from pathlib import Path

from decondense.base.errors import INSTALL, unknown


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
