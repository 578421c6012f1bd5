"""The command `doctor`: what it looks at, the cures, the exit status. No test asks the network."""

import json
import shutil
from collections import namedtuple

import pytest
from typer.testing import CliRunner

from decondense.base.errors import INSTALL
from decondense.book import profiles
from decondense.cli import app, doctor, readiness

LARGE = readiness.Machine(memory=64, gpu=0, disk=9_999, hub="no answer", pypi="")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setattr(readiness, "hub_refusal", lambda: "forbidden by HF_HUB_OFFLINE=1")
    monkeypatch.setattr(readiness, "pypi_refusal", lambda: "")
    monkeypatch.setattr(doctor, "machine_here", lambda: LARGE)
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def run(*arguments, charset="utf-8"):
    return CliRunner(charset=charset).invoke(app.app, ["doctor", *arguments])


def test_it_names_cures(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path / "gone"))
    monkeypatch.setattr(doctor, "_pins", lambda: {"torch": "0.1"})
    result = run(charset="ascii")
    assert result.exit_code == 0, result.output
    for said in ("constraints.txt has 0.1", "set it to the folder", "unset it", "CPU cores", "memory", "GPU", "disk"):
        assert said in result.output
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_status_is_that_of_the_laptop_or_of_the_profile_asked_for(monkeypatch):
    assert run().exit_code == 0  # gpu and paper cannot run here, and nobody asked
    assert run("--profile", "gpu").exit_code == 1
    monkeypatch.setattr(doctor, "machine_here", lambda: LARGE._replace(memory=1))
    assert run().exit_code == 1
    assert run("--profile", "ci").exit_code == 0


def test_json():
    result = run("--json")
    content = json.loads(result.stdout)
    assert list(content["profiles"]) == list(profiles.PROFILES)
    assert content["profiles"]["laptop"]["can_run"] is True
    assert content["profiles"]["paper"]["can_run"] is False
    assert {"what", "found", "cure"} == set(content["findings"][0])
    assert list(json.loads(run("--json", "--profile", "ci").stdout)["profiles"]) == ["ci"]


def test_quiet_leaves_the_status():
    result = run("--quiet", "--profile", "gpu")
    assert (result.exit_code, result.output) == (1, "")


def test_an_unknown_profile():
    result = run("--profile", "lap")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: Unknown profile 'lap'. Did you mean 'laptop'?")


def test_outside_a_clone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = run("--profile", "ci")
    assert result.exit_code == 1
    assert "clone" in result.stdout


def test_it_reads_the_pins():
    assert "torch" in doctor._pins()


def test_data_sets_are_listed(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").touch()
    here, elsewhere = doctor._data_sets()
    assert "imdb" in here.found
    assert "documentation" in here.found
    assert "PyPI wikitext-2" in elsewhere.found


@pytest.mark.parametrize(("gib", "warned"), [(4, True), (5.9, True), (7.4, False), (7.8, False), (16, False)])
def test_a_machine_sold_as_8_gb_is_large_enough(monkeypatch, gib, warned):
    """Such a one shows less than 8 GiB: what the firmware takes is missing."""
    memory = namedtuple("memory", "total available")(gib * 2**30, 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    found = next(finding for finding in doctor._machine() if finding.what == "memory")
    assert found.found == f"{gib:.1f} GiB, 1.0 GiB free"
    assert bool(found.cure) == warned


def test_a_package_that_is_missing_has_the_whole_cure(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["no-such-package>=1"])
    assert doctor._packages()[1] == ("core", "no-such-package not installed", INSTALL)


def test_packages_of_an_extra_that_are_missing_are_one_line(monkeypatch):
    lines = ["none-a>=1; extra == 'x'", "none-b; extra == 'x'", "none-a; extra == 'y'", "pytest; extra == 'y'"]
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    found = doctor._packages()[1:]
    assert found[0] == ("extra x", "none-a, none-b not installed", "python -m pip install 'decondense[x]'")
    assert not any("extra y" in finding.what for finding in found)


def test_disk_of_a_cache_that_is_not_there_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "not" / "yet"))
    asked = []
    usage = namedtuple("usage", "free")(3 * 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage)
    assert doctor._free_disk() == 3
    assert asked == [tmp_path]


def test_machine_here_is_asked_of_the_machine(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(readiness, "hub_refusal", lambda: "a")
    monkeypatch.setattr(readiness, "pypi_refusal", lambda: "b")
    found = doctor.machine_here()
    assert found.memory > 0.5
    assert found.disk > 0
    assert (found.hub, found.pypi) == ("a", "b")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch):
    monkeypatch.setenv("DECONDENSE_CACHE", "/proc/nowhere")
    (found,) = (finding for finding in doctor._folders() if finding.what == "cache")
    assert "Give another folder with DECONDENSE_CACHE" in found.cure
