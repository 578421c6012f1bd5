"""`nox -s tests`, `lint`, `reproduce -- --profile laptop`, `book`, `bench`, `faults`: in one pinned environment."""

import hashlib
import os
import sys
from pathlib import Path

import nox

ENVIRONMENT = Path(".nox/decondense").resolve()
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON_INSIDE = Path(BIN.name, "python")  # of an environment's folder
PYTHON = str(ENVIRONMENT / PYTHON_INSIDE)

nox.options.default_venv_backend = "none"  # nox would make one environment per session: hours of torch downloads
nox.options.sessions = ["lint", "tests"]


def prepare(session: nox.Session) -> None:
    """Create the shared environment and install into it, unless it is there and made for the same requirements."""
    stamp = ENVIRONMENT / "installed.sha256"
    wanted = hashlib.sha256(
        b"\0".join([sys.version.encode(), *(Path(p).read_bytes() for p in ("pyproject.toml", "constraints.txt"))])
    ).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    session.run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(ENVIRONMENT))
    session.log("Installing the pinned packages into .nox/decondense: several minutes, once")
    session.run(PYTHON, "-m", "pip", "install", "-e", ".[reproduce,tests]", "-c", "constraints.txt")
    stamp.write_text(wanted)


def run(session: nox.Session, *command: str) -> None:
    """Run `python -m ...` in the shared environment; Ctrl-C leaves it the time to shut its kernels down."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    env = {"VIRTUAL_ENV": str(ENVIRONMENT), "PATH": path}
    session.run(PYTHON, "-m", *command, env=env, interrupt_timeout=20, terminate_timeout=5)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Execute the notebooks and build the book: nox -s reproduce -- --profile laptop"""
    prepare(session)
    run(session, "decondense", "reproduce", *session.posargs)


@nox.session
def book(session: nox.Session) -> None:
    """Build the book again from the executed notebooks: nox -s book -- --profile laptop"""
    prepare(session)
    run(session, "decondense", "book", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure time and memory for the page Performance, beside the peer package in an environment of its own."""
    prepare(session)
    peer = Path(".nox/peer").resolve()
    python, stamp = str(peer / PYTHON_INSIDE), peer / "installed"
    if not stamp.exists():
        torch = next(line for line in Path("constraints.txt").read_text().splitlines() if line.startswith("torch=="))
        session.run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(peer))
        session.run(python, "-m", "pip", "install", "embedding-condensation==2.0", torch)
        stamp.touch()
    run(session, "decondense.bench", "--peer", python, *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, interrupt and starve runs, and see that nothing is lost: nox -s faults -- --quick"""
    prepare(session)
    run(session, "pytest", "-n", "2", "tests/faults", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests: nox -s tests -- tests/test_metrics.py"""
    prepare(session)
    run(session, "pytest", "-n", "2", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of the code."""
    prepare(session)
    code = ("src", "tests", "noxfile.py")
    run(session, "ruff", "check", *code)
    run(session, "ruff", "format", "--check", *code)
