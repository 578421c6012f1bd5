"""One notebook: which parameters it takes, whether it is done already, and running it in a child process.

`python -m decondense.book.execute IN OUT PARAMETERS KERNEL` is that child. It lives as long as its standard input is
open: a parent that is interrupted, or killed with no chance to clean up, leaves no kernel behind.
"""

import _thread
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from ..base import assets, machine
from ..base.files import sha256, write_atomically
from ..base.settings import variable
from . import cells, profiles

KERNEL = "python3"  # always named: a notebook saved elsewhere may ask for a kernel that does not exist here
STOP_SECONDS = 15  # that a child gets to shut its kernel down
FULL = 2**20  # bytes: with less free space a notebook cannot be saved
_SOURCES = {".py", ".toml", ".csv"}  # what, under src/decondense, can change a result
_VERSIONED = ("decondense", "torch", "transformers", "tokenizers", "datasets", "numpy", "scipy")


@dataclass
class Task:
    """One notebook in one profile, and what has become of it in this run."""

    root: Path
    profile: str
    notebook: Path
    parameters: dict
    estimate: float | None = None  # seconds
    state: str = "waiting"  # running, done, already done, failed, blocked, interrupted
    seconds: float | None = None  # since it was started
    why: str = ""
    look: Path | None = None
    hash: str = ""
    began: float = 0.0
    child: subprocess.Popen | None = field(default=None, repr=False)
    scratch: tempfile.TemporaryDirectory | None = None  # for all temporary files of the child
    lock: int | None = None  # held open by the child as well: until it has ended, no other run begins

    @property
    def id(self) -> str:
        return profiles.notebook_id(self.notebook)

    @property
    def folder(self) -> Path:
        return self.root / "build" / self.profile

    @property
    def output(self) -> Path:
        return self.folder / "notebooks" / self.notebook.name

    @property
    def stamp(self) -> Path:
        """There only after a success: what was executed, when, how long it took."""
        return self.output.with_suffix(".json")

    @property
    def fresh(self) -> Path:
        """Holds the time of a `--fresh` that this notebook has yet to come through, in this run or a later one."""
        return self.output.with_suffix(".fresh")

    @property
    def log(self) -> Path:
        return self.folder / "logs" / f"{self.notebook.stem}.log"


# --- what is done ---------------------------------------------------------------------------------------------------


def fingerprint(root: Path, notebook: Path, parameters: dict) -> str:
    """SHA-256 of what decides a notebook's output: cells, parameters, our source, the pins, data, accepted terms."""
    parts = [[cell["cell_type"], cell["source"], cell["metadata"]] for cell in cells.read(notebook)]
    parts += [parameters, os.environ.get("DECONDENSE_DATA", "")]
    parts += [[name for name, when in assets.accepted().items() if when]]
    package = root / "src" / "decondense"
    files = [path for path in package.rglob("*") if path.suffix in _SOURCES] + [root / "constraints.txt"]
    parts += [[path.relative_to(root).as_posix(), sha256(path)] for path in sorted(files) if path.is_file()]
    return sha256(json.dumps(parts, sort_keys=True))


def read_stamp(stamp: Path) -> dict:
    """The stamp of a notebook that was executed to its end, or an empty `dict`."""
    try:
        return json.loads(stamp.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def is_done(task: Task) -> bool:
    """Whether the notebook was executed as it is now, and after the notebooks whose records it shows."""
    stamp = read_stamp(task.stamp)
    if task.fresh.exists() or not task.output.exists():
        return False
    if stamp.get("hash") != fingerprint(task.root, task.notebook, task.parameters):
        return False
    if stamp.get("output") != sha256(task.output):  # cut short, or written by another run since
        return False
    needs = profiles.needs(task.id)
    needed = [path for path in task.stamp.parent.glob("*.json") if profiles.notebook_id(path) in needs]
    return all(read_stamp(path).get("utc", "") <= stamp["utc"] for path in needed)


def _write_stamp(task: Task) -> None:
    content = {
        "hash": task.hash,
        "output": sha256(task.output),
        "parameters": task.parameters,
        "seconds": round(task.seconds, 1),
        "utc": datetime.now(UTC).isoformat(timespec="microseconds"),
        "versions": versions(),
    }
    write_atomically(task.stamp, json.dumps(content, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can move a number."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _VERSIONED:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


# --- the child, seen from its parent --------------------------------------------------------------------------------


def environment(task: Task, jobs: int) -> dict[str, str]:
    """The environment of the child: this one, where records go, and what keeps several kernels off each other."""
    child = dict(os.environ) | {
        "DECONDENSE_RECORDS": str(task.folder / "records"),
        "PYTHONWARNINGS": "default",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",  # a user-wide `python3` kernel may be another Python
    }
    folders = ("DECONDENSE_CACHE", "DECONDENSE_DATA")  # a kernel starts in another folder than this process
    child |= {name: os.path.abspath(folder) for name in folders if (folder := variable(name))}
    child.pop("DECONDENSE_FRESH", None)
    if task.fresh.exists():  # a UTC time: records made before it count as absent
        child["DECONDENSE_FRESH"] = task.fresh.read_text(encoding="utf-8")
    if profiles.is_offline(task.profile):  # they promise to need no hub, so they must not lean on one
        child |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if jobs > 1:
        child.setdefault("OMP_NUM_THREADS", str(max(1, machine.cores() // jobs)))
    return child


def start(task: Task, jobs: int) -> None:
    """Begin to execute a notebook, saved after every cell; all that the child says goes to `task.log`."""
    task.hash = fingerprint(task.root, task.notebook, task.parameters)
    task.stamp.unlink(missing_ok=True)  # a run that is killed must not look done
    task.output.unlink(missing_ok=True)
    for path in (task.output, task.log):
        path.parent.mkdir(parents=True, exist_ok=True)
    # Relative paths: papermill takes braces in a path for placeholders.
    files = [str(path.relative_to(task.root)) for path in (task.notebook, task.output)]
    command = [sys.executable, "-m", "decondense.book.execute", *files, json.dumps(task.parameters), KERNEL]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.STDOUT}
    held = () if task.lock is None else (task.lock,)
    # A kernel that is stopped while it starts leaves its connection file behind.
    task.scratch = tempfile.TemporaryDirectory(prefix="decondense-", ignore_cleanup_errors=True)
    with task.log.open("wb") as log:
        # A session of its own: Ctrl-C reaches the parent alone, which then stops its children in order.
        task.child = subprocess.Popen(
            command,
            cwd=task.root,
            env=environment(task, jobs) | {"TMPDIR": task.scratch.name},
            stdout=log,
            start_new_session=True,
            pass_fds=held,
            **pipes,
        )
    task.state, task.began, task.seconds = "running", time.monotonic(), 0.0


def poll(task: Task) -> None:
    """Bring a running task up to date: its time, and how it ended."""
    task.seconds = time.monotonic() - task.began
    if task.child.poll() is None:
        return
    task.child.stdin.close()
    task.scratch.cleanup()
    if failed := failure(task.child.returncode, task.output, task.log):
        task.state, (task.why, task.look) = "failed", failed
        if shutil.disk_usage(task.folder).free < FULL and "Free some space" not in task.why:
            task.why += ". The disk is full. Free some space, then give the same command again"
    else:
        task.state = "done"
        task.fresh.unlink(missing_ok=True)
        _write_stamp(task)


def failure(returncode: int, output: Path, log: Path) -> tuple[str, Path] | None:
    """Why an execution failed, in one line, and the file to look into; `None` when it succeeded.

    A notebook with an error output failed, whatever the child's exit status says.
    """
    executed = None
    with suppress(FileNotFoundError, ValueError):
        executed = cells.read(output)
    for cell in executed or []:
        for out in cell.get("outputs", []):
            if out["output_type"] == "error":
                said = f"{out['ename']}: {out['evalue']}".strip().splitlines()[0]
                return f"In [{cell['execution_count']}] {said}", output
    if returncode == 0 and executed is not None:
        return None
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}, maybe for want of memory", log
    last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    return last.strip() + (" (maybe for want of memory)" if "DeadKernelError" in last else ""), log


def stop(tasks: Iterable[Task], show: Callable[[], None]) -> None:
    """End the children that still run: politely, so that they end their kernels, and by force after a while."""
    running = [task for task in tasks if task.state == "running"]
    for task in running:
        task.child.stdin.close()
        task.state = "interrupted"
    show()
    deadline = time.monotonic() + STOP_SECONDS
    try:
        for task in running:
            task.child.wait(max(0.1, deadline - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for task in running:
            task.child.kill()
            task.child.wait()
    for task in running:
        task.scratch.cleanup()


# --- the child itself -----------------------------------------------------------------------------------------------


def _stop_with_parent() -> None:
    os.read(0, 1)  # blocks until the parent closes its end, or dies
    _thread.interrupt_main()


def main(arguments: list[str]) -> None:
    """The child process: execute one notebook with papermill."""
    import logging

    import papermill

    notebook, output, parameters, kernel = arguments
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    papermill.execute_notebook(
        notebook,
        output,
        parameters=json.loads(parameters),
        kernel_name=kernel,
        language="python",
        progress_bar=False,
        log_output=True,
        coalesce_streams=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
