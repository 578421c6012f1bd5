"""What is said in several files is said alike: pyproject.toml, environment.yml, constraints.txt and the locks."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    return [requirement for requirement in map(Requirement, asked) if requirement.name != "decondense"]


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines if line[0] != "#")}


def test_environment_is_that_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert (environment["name"], environment["channels"]) == ("decondense", ["conda-forge"])
    assert conda == ["python>=3.11", "pip"]
    assert pip == {"pip": ["-e .[all,dev]"]}


def test_all_is_all_but_dev():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    def closure(name):
        own = [Requirement(line) for line in extras[name]]
        return {name}.union(*(closure(extra) for line in own if line.name == "decondense" for extra in line.extras))

    assert closure("all") == set(extras) - {"dev"}


def test_pins_satisfy_the_ranges(requirements, pins):
    for requirement in requirements:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_torch_is_pinned_without_a_local_tag(pins):
    assert pins["torch"] == "2.13.0"
    assert not any("+" in pin for pin in pins.values())


# --- the locks ------------------------------------------------------------------------------------------------------


def locked(name):
    """`name` -> (version, hashes) as a lock has them."""
    text = (ROOT / name).read_text()
    found = {}
    for lines in re.findall(r"(?m)^\w.*(?:\n .*)*", text):
        requirement, version = re.match(r"([\w.-]+)==([\w.+]+)", lines).groups()
        found[canonicalize_name(requirement)] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", lines))
    return found


def test_lock_holds_every_pin(pins):
    versions = {name: version for name, (version, _) in locked("requirements.lock").items()}
    assert versions | pins == versions, "make it again with the command in its first lines"


def test_everything_locked_has_hashes():
    for lock in ("requirements.lock", "requirements-cpu.lock"):
        assert all(hashes and len(set(hashes)) == len(hashes) for _, hashes in locked(lock).values())


def test_what_the_lock_adds_is_for_other_machines(pins):
    """CUDA for PyPI's torch, and what other platforms and interpreters need: each with a marker that says where."""
    lines = re.findall(r"(?m)^\w.*", (ROOT / "requirements.lock").read_text())
    added = [line for line in lines if canonicalize_name(line.split("==")[0]) not in pins]
    assert all(re.search("sys_platform|implementation_name", line) for line in added), added
    assert any(line.startswith("nvidia-") for line in added)


def test_cpu_build_is_of_the_pinned_torch(pins):
    assert {name: version for name, (version, _) in locked("requirements-cpu.lock").items()} == {
        "torch": f"{pins['torch']}+cpu"
    }


def test_what_builds_packages_is_locked(pins):
    assert {"hatchling", "setuptools"} <= set(pins)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["build-backend"] == "hatchling.build"


# --- the wheel ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built and unpacked: a folder."""
    pytest.importorskip("hatchling", reason="the session `tests` installs it, from requirements.lock")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    ZipFile(path).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_wheel_carries_all_data(wheel):
    """What `pip install git+https://...` gives: tables, recipes and the committed records, not modules alone."""
    package, results = ROOT / "src" / "decondense", ROOT / "book" / "results"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    wanted = {f"decondense/{path.relative_to(package).as_posix()}" for path in files}
    wanted |= {f"decondense/results/{path.name}" for path in results.iterdir()}
    assert {Path(name).suffix for name in wanted} >= {".py", ".toml", ".csv", ".yaml", ".json", ".npz"}
    assert wanted <= {path.relative_to(wheel).as_posix() for path in wheel.rglob("*")}


def brought_by(requirements):
    """The distributions, by their own names in lower case, that pip would install here for `requirements`."""
    found, todo = {}, [(requirement, "") for requirement in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        distribution = metadata.distribution(requirement.name)
        wanted = {"", *requirement.extras} - found.setdefault(distribution.name.lower(), set())
        found[distribution.name.lower()] |= wanted
        todo += [(Requirement(line), extra) for line in distribution.requires or [] for extra in wanted]
    return set(found)


def test_without_extras_it_measures_and_trains_and_names_what_it_lacks(wheel):
    """A Python that finds the distributions of a bare installation alone: `bare_install.py` says what it does."""
    own = metadata.Distribution.at(next(wheel.glob("*.dist-info")))
    names = brought_by([Requirement(line) for line in own.requires])
    assert not names & {"pandas", "datasets", "statsmodels", "lm_eval", "gguf", "papermill", "submitit"}
    command = [sys.executable, str(ROOT / "tests" / "bare_install.py"), str(wheel), ",".join(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, said in json.loads(done.stdout.splitlines()[-1]).items():
        extra = name.partition(",")[0]
        assert said.count("\n") <= 1, name
        assert f"python -m pip install 'decondense[{extra}]'" in said, (name, said)
