"""`nox -s tests`, `lint`, `reproduce -- --profile laptop`, ...: in one environment, its files pinned and hashed."""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import nox

ENVIRONMENT = Path(".nox/decondense").resolve()
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON_INSIDE = Path(BIN.name, "python")  # of an environment's folder
PYTHON = str(ENVIRONMENT / PYTHON_INSIDE)
LOCKS = ("requirements.lock", "requirements-cpu.lock")
CUDA = ("cuda-", "nvidia-", "triton==")  # what PyPI's torch for Linux needs and the CPU build does not
# Packages that build others: ours, and those that PyPI has only as source. They come first: then no build fetches any.
BUILDERS = ("editables", "hatchling", "packaging", "pathspec", "pluggy", "setuptools", "tomlkit", "trove-classifiers")

# The lowest that pyproject.toml allows, one whose checkpointed blocks run their hooks twice, the newest; what else each
# needs in another version than the pinned one.
TRANSFORMERS = {"4.57.6": ("datasets==4.4.1",), "5.20.1": (), "5.24.0": ()}
OF_TRANSFORMERS = ("tests/test_hooks.py", "tests/test_wrappers.py", "tests/test_measurement.py", "tests/trainers")

nox.options.default_venv_backend = "none"  # nox would make one environment per session: hours of torch downloads
nox.options.sessions = ["lint", "tests"]


def prepare(session: nox.Session) -> None:
    """Create the shared environment and install into it, unless it is there and made for the same requirements."""
    stamp = ENVIRONMENT / "installed.sha256"
    files = ("pyproject.toml", "constraints.txt", *LOCKS)
    unchecked = os.environ.get("DECONDENSE_NO_HASHES", "")
    state = [sys.version.encode(), unchecked.encode(), *(Path(p).read_bytes() for p in files)]
    wanted = hashlib.sha256(b"\0".join(state)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    session.run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(ENVIRONMENT))
    session.log("Installing the pinned packages into .nox/decondense: several minutes, once")
    if unchecked:
        session.warn("DECONDENSE_NO_HASHES is set: versions are pinned, but no file is checked against its hash")
        pip(session, "install", "-e", ".[all,dev]", "-c", "constraints.txt")
    else:
        install_locked(session)
    stamp.write_text(wanted)


def install_locked(session: nox.Session) -> None:
    """Install what the locks pin, each file checked by pip against its hash, and then the package itself."""
    chosen = [lines for name, lines in locked().items() if name.split("==")[0] != "torch"]
    torch = torch_here(session)
    if torch.endswith("+cpu"):
        chosen = [lines for lines in chosen if not lines.startswith(CUDA)]
    builders = [lines for lines in chosen if lines.split("==")[0] in BUILDERS]
    for name, part in {"builders": builders, "all": [*chosen, locked()[torch]]}.items():
        path = ENVIRONMENT / f"{name}.lock"
        path.write_text("\n".join(part) + "\n")
        pip(session, "install", "--require-hashes", "--no-deps", "--no-build-isolation", "-r", str(path))
    pip(session, "install", "--no-deps", "--no-build-isolation", "-e", ".")
    pip(session, "check")


def locked() -> dict[str, str]:
    """`name==version` -> its lines in a lock: the pin, where it applies, and the hashes of all its files."""
    text = "".join(Path(path).read_text() for path in LOCKS)
    return {lines.split()[0]: lines for lines in re.findall(r"(?m)^\w.*(?:\n .*)*", text)}


def torch_here(session: nox.Session) -> str:
    """The torch that pip would take: PyPI's build, or another one if an index or folder that pip was told of has it."""
    pin = next(line for line in Path("constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    report = ENVIRONMENT / "torch.json"
    pip(session, "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", str(report), pin)
    found = json.loads(report.read_text())["install"][0]
    name = f"torch=={found['metadata']['version']}"
    digest = found["download_info"]["archive_info"].get("hashes", {}).get("sha256", "no hash")
    if digest not in locked().get(name, ""):
        session.error(
            f"pip would take {name} with the SHA-256 {digest}, which no lock knows: {found['download_info']['url']}\n"
            "Choose one: let pip take PyPI's build, which is locked for every platform (unset PIP_EXTRA_INDEX_URL and "
            "PIP_FIND_LINKS); or, if you trust this file, add its hash to requirements-cpu.lock; or set "
            "DECONDENSE_NO_HASHES=1 to install pinned versions without checking any hash."
        )
    return name


def pip(session: nox.Session, *command: str) -> None:
    """Run the pip of the shared environment."""
    session.run(PYTHON, "-m", "pip", *command)


def run(session: nox.Session, *command: str, env: dict[str, str] | None = None) -> None:
    """Run `python -m ...` in the shared environment; Ctrl-C leaves it the time to shut its kernels down."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    env = {"VIRTUAL_ENV": str(ENVIRONMENT), "PATH": path} | (env or {})
    session.run(PYTHON, "-m", *command, env=env, interrupt_timeout=20, terminate_timeout=5)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Build a first book, execute the notebooks, and replace its pages: nox -s reproduce -- --profile laptop"""
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
    run(session, "pytest", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session
def looks(session: nox.Session) -> None:
    """Open every page of a built book in Chromium, in light, in dark and on a phone: nox -s looks -- --profile ci"""
    prepare(session)
    run(session, "pytest", "-n", "2", "tests/looks")
    run(session, "looks", *session.posargs, env={"PYTHONPATH": str(Path("tests").resolve())})


@nox.session
def rehearsal(session: nox.Session) -> None:
    """Run the profiles gpu and paper in tiny sizes against a hub on loopback: nox -s rehearsal -- --profile gpu"""
    prepare(session)
    run(session, "standin.rehearsal", *session.posargs, env={"PYTHONPATH": str(Path("tests").resolve())})


@nox.session
def versions(session: nox.Session) -> None:
    """Run the tests of hooks, measurement and trainers with the lowest, a middle and the newest transformers."""
    prepare(session)
    for version, beside in TRANSFORMERS.items():
        place = Path(f".nox/transformers-{version}").resolve()
        if not (stamp := place / "installed").exists():
            # In front of the shared environment, which has the same packages in the versions that are pinned.
            pip(session, "install", "--quiet", "--upgrade", "--target", str(place), f"transformers=={version}", *beside)
            stamp.touch()
        env = {"PYTHONPATH": str(place)}
        run(session, "pytest", "-n", "2", "-p", "no:cacheprovider", *(session.posargs or OF_TRANSFORMERS), env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of the code, what imports what, and that notebooks, rooms and tests belong together."""
    prepare(session)
    code = ("src", "tests", "noxfile.py")
    run(session, "ruff", "check", *code)
    run(session, "ruff", "check", "--select", "S", "notebooks", "book")
    run(session, "ruff", "format", "--check", *code)
    session.run(str(BIN / "lint-imports"), "--no-cache")
    run(session, "decondense.book.rooms")


@nox.session
def colab(session: nox.Session) -> None:
    """Run every notebook as Colab gets it, in an environment with a kernel alone: nox -s colab -- --only fig2"""
    prepare(session)
    session.run(PYTHON, "tests/bare_colab.py", "--maker", sys.executable, *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask PyPI which of the locked packages have known vulnerabilities; fails too when PyPI cannot be asked."""
    place = Path(".nox/audit").resolve()
    python, stamp = str(place / PYTHON_INSIDE), place / "installed"
    if not stamp.exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(place))
        session.run(python, "-m", "pip", "install", "--quiet", "pip-audit")
        stamp.touch()
    found = place / "found.json"
    how = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(found))
    found.unlink(missing_ok=True)
    session.run(python, "-m", "pip_audit", *how, "-r", LOCKS[0], success_codes=[0, 1])
    if not found.exists():
        session.error("Not audited: pip-audit stopped, for the reason above")
    answers = json.loads(found.read_text())["dependencies"]
    silent = [answer["name"] for answer in answers if "skip_reason" in answer]
    bad = [f"{a['name']} {a['version']}: {v['id']}" for a in answers for v in a.get("vulns", [])]
    session.log(f"{len(answers)} locked packages: {len(silent)} without an answer, {len(bad)} known vulnerabilities")
    said = [f"PyPI's JSON service gave no answer about {silent[0]} and {len(silent) - 1} others"] if silent else []
    said += [f"known vulnerabilities in {', '.join(bad)}"] if bad else []
    if said:
        session.error("Not passed: " + "; ".join(said))
