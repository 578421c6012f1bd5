"""Processes that end with the one that started them, and take along what they have started themselves."""

import sys
import time

import psutil
import pytest

from decondense.book import children

MODULE = """
import subprocess, sys, time
from decondense.book import children
children.end_with_parent()
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, *sys.argv[1:], flush=True)
time.sleep(600)
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A process that has started another one; and the pid of that one."""
    (tmp_path / "stays.py").write_text(MODULE)
    environment = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    started = children.start("stays", ["a b"], tmp_path / "logs" / "child.log", None, environment)
    while "a b\n" not in (said := (tmp_path / "logs" / "child.log").read_text()):
        assert started.poll() is None, said
        time.sleep(0.05)
    yield started, int(said.split()[0])
    children.stop(started)


def gone(pid):
    """Waits until no such process lives."""
    try:
        psutil.Process(pid).wait(60)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_stop_ends_it_and_what_it_has_started(child):
    started, grandchild = child
    children.stop(started)
    assert started.returncode not in (0, None)
    assert gone(grandchild)
    children.stop(started)  # has ended already
    children.stop(None)


def test_it_ends_when_its_parent_is_gone(child):
    """A parent that dies, however it dies, closes its end of the pipe."""
    started, grandchild = child
    started.stdin.close()
    assert started.wait(60) not in (0, None)
    assert gone(grandchild)
