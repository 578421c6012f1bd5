"""Where the system itself makes the fault: a small disk, a read-only folder, no network, for one command."""

import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest


def small_disk(folder: Path, kilobytes: int) -> str:
    return f"mount -t tmpfs -o size={kilobytes}k tmpfs {shlex.quote(str(folder))}"


def read_only(folder: Path) -> str:
    path = shlex.quote(str(folder))
    return f"mount --bind {path} {path} && mount -o remount,bind,ro {path}"


NO_NETWORK = "ip link set lo up"  # of a network with nothing but this machine: a kernel talks over it


def inside(setup: str, *command: str | Path) -> list[str]:
    """The command, in a world of its own in which `setup` was done first."""
    flags = "-rmn" if setup == NO_NETWORK else "-rm"
    if not _permitted(flags, "ip link set lo up" if flags == "-rmn" else "mount -t tmpfs tmpfs /mnt"):
        pytest.skip(f"unshare {flags} is not permitted here")
    return ["unshare", flags, "sh", "-c", f'{setup} && exec "$@"', "sh", *map(str, command)]


@cache
def _permitted(flags: str, setup: str) -> bool:
    try:
        return subprocess.run(["unshare", flags, "sh", "-c", setup], capture_output=True).returncode == 0
    except OSError:  # not Linux
        return False


def python(setup: str, code: str, *arguments) -> subprocess.CompletedProcess:
    """Run Python code in such a world; it must end well."""
    done = subprocess.run(inside(setup, sys.executable, "-c", code, *arguments), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done
