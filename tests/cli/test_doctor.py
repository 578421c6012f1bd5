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
    for said in ("(0.1)", "set it to the folder", "unset it", "CPU cores", "memory", "GPU", "disk"):
        assert said in result.output
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_status_is_that_of_measuring_or_of_the_profile_asked_for(monkeypatch, tmp_path):
    assert run().exit_code == 0  # gpu and paper cannot run here, and nobody asked
    assert run("--profile", "gpu").exit_code == 1
    monkeypatch.setattr(doctor, "machine_here", lambda: LARGE._replace(memory=1))
    assert run().exit_code == 0
    assert run("--profile", "laptop").exit_code == 1
    assert run("--profile", "ci").exit_code == 0
    (tmp_path / "file").touch()
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "file" / "below"))
    assert run().exit_code == 1


def test_an_installation_with_the_command_line_alone_can_measure(monkeypatch):
    """What the README installs: it is said first, and what is missing for more is no fault."""
    monkeypatch.setattr(doctor, "_absent", lambda extra: {"": [], "cli": []}.get(extra, ["none-a", "none-b"]))
    monkeypatch.setattr(readiness, "PACKAGES", ("no_such_package",))
    result = run()
    said = result.stdout.splitlines()
    assert result.exit_code == 0
    assert "what you can do here" in said[1]
    assert said[3].split() == ["ok", "measure,", "compare", "yes"]
    assert said[4].split() == ["--", "train", "none-a,", "none-b", "missing"]
    assert " ".join("".join(said[5:7]).split()) == "python -m pip install -e '.[train]' -c constraints.txt"
    assert [line for line in said if line.split()[:1] == ["warn"] and "hub" not in line.lower()] == []
    assert run("--profile", "laptop").exit_code == 1


def test_without_the_core_nothing_can_be_done(monkeypatch):
    monkeypatch.setattr(doctor, "_absent", lambda extra: [] if extra else ["torch"])
    assert run().exit_code == 1
    assert {finding.cure for finding in doctor._activities()} == {INSTALL}


def test_json():
    result = run("--json")
    content = json.loads(result.stdout)
    assert list(content["profiles"]) == list(profiles.PROFILES)
    assert content["can"] == dict.fromkeys(doctor.ACTIVITIES, "yes")
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


def test_licence_terms_are_listed_with_when_they_were_accepted():
    (asked,) = doctor._terms()
    assert asked.found.endswith("not accepted: decondense reproduce --accept-terms gemma-3-270m")
    doctor.assets.accept("gemma-3-270m")
    (given,) = doctor._terms()
    assert given.found.startswith("gemma-3-270m, Gemma Terms of Use (ai.google.dev/gemma/terms): accepted 20")


@pytest.mark.parametrize(("gib", "warned"), [(4, True), (5.9, True), (7.4, False), (7.8, False), (16, False)])
def test_a_machine_sold_as_8_gb_is_large_enough(monkeypatch, gib, warned):
    """Such a one shows less than 8 GiB: what the firmware takes is missing."""
    memory = namedtuple("memory", "total available")(gib * 2**30, 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    found = next(finding for finding in doctor._machine() if finding.what == "memory")
    assert found.found == f"{gib:.1f} GiB, 1.0 GiB free"
    assert bool(found.cure) == warned


LINES = [
    "none-a>=1; extra == 'x'",
    "decondense[x,y]; extra == 'all'",
    "none-core",
    "pytest; extra == 'y'",
    'none_b==1; extra == "y"',
]


def test_packages_of_an_extra_are_those_of_the_extras_in_it(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: LINES)
    assert doctor._required("") == ["none-core"]
    assert doctor._required("all") == ["none-a", "pytest", "none_b"]
    assert doctor._absent("all") == ["none-a", "none_b"]


def test_versions_that_are_not_pinned_are_one_line(monkeypatch):
    monkeypatch.setattr(doctor, "_pins", lambda: {"torch": "0.1", "rich": "0.2", "typer": doctor.version("typer")})
    found = [finding for finding in doctor._packages() if finding.cure]
    assert [finding.what for finding in found] == ["not the pins"]
    torch = doctor.version("torch").partition("+")[0]
    assert found[0].found == f"rich {doctor.version('rich')} (0.2), torch {torch} (0.1)"


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


def test_outside_of_a_clone_nothing_is_reproduced(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    can = json.loads(run("--json").stdout)["can"]
    assert can == dict.fromkeys(doctor.ACTIVITIES, "yes") | dict.fromkeys(doctor.IN_A_CLONE, "needs a clone")
