"""What is said in several files is said alike: pyproject.toml, environment.yml, constraints.txt."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["reproduce"], *extras["tests"]]


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines if line[0] != "#")}


def test_environment_is_that_of_pyproject(requirements):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert (environment["name"], environment["channels"]) == ("decondense", ["conda-forge"])
    assert conda == ["python>=3.11", "pip"]
    assert pip == {"pip": [*requirements, "-e ."]}


def test_pins_satisfy_the_ranges(requirements, pins):
    for requirement in map(Requirement, requirements):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_torch_is_pinned_without_a_local_tag(pins):
    assert pins["torch"] == "2.13.0"
    assert not any("+" in pin for pin in pins.values())
