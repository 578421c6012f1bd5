"""A throw-away clone with two notebooks, and `decondense reproduce` on it.

As a script, `decondense` itself, which knows these notebooks in place of its own.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
import warnings
from pathlib import Path

import psutil

from decondense import records
from decondense.book import cells, execute, profiles, reproduce
from decondense.cli import app

TABLE = {
    "network": {"offline": ["ci"]},
    "needs": {"second": ["first"]},
    "minutes": {},
    "ci": {"all": {"N": 3}, "first": {}, "second": {}, "broken": {}, "waits": {}},
}
MARK = "DECONDENSE_FAULT"  # in the environment of all that a run starts, however it is started
COMPUTES = """
from io import BytesIO
import numpy as np
from decondense import records
def compute():
    numbers = np.random.default_rng(seed).random(100_000)
    file = BytesIO()
    np.savez(file, numbers=numbers)
    return {"mean": float(numbers.mean())}, file.getvalue()
for seed in range(N):
    print(records.run("NAME", {"seed": seed}, compute).content["results"]["mean"])
"""
BROKEN = "raise KeyError('gone')"
WAITING = "time.sleep(300)"
WAITS = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; {WAITING}'])"


def clone(root: Path, **more: str) -> Path:
    """Two notebooks that make three records each; `more` are others: id, and source of the last cell."""
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    sources = {name: COMPUTES.replace("NAME", name) for name in ("first", "second")} | more
    for number, (name, source) in enumerate(sources.items()):
        cells = [_cell("N = 1", "parameters"), _cell(source), _cell("print(N)")]
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (root / "notebooks" / f"{number:02}_{name}_toy.ipynb").write_text(json.dumps(content))
    return root


def _cell(source: str, *tags: str) -> dict:
    about = {"id": uuid.uuid4().hex[:8], "metadata": {"tags": list(tags)}, "execution_count": None, "outputs": []}
    return {"cell_type": "code", "source": source.strip()} | about


# --- a run ----------------------------------------------------------------------------------------------------------


class Run:
    """`decondense reproduce` in a clone, as a process."""

    PROGRAM = (sys.executable, __file__)

    def __init__(self, root: Path, *options: str, setup=lambda *command: list(command), said=None, **environment: str):
        self.root, self.mark, self.said = root, uuid.uuid4().hex, said or root / f"said-{time.monotonic_ns()}"
        own = {"TMPDIR": root / "tmp", "JUPYTER_RUNTIME_DIR": root / "runtime", "DECONDENSE_CACHE": root / "cache"}
        for folder in own.values():
            folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {name: str(folder) for name, folder in own.items()} | environment | {MARK: self.mark}
        command = setup(*self.PROGRAM, "reproduce", "--profile", "ci", "--no-book", *options)
        with self.said.open("w") as out:
            self.process = subprocess.Popen(command, cwd=root, env=environment, stdout=out, stderr=out)

    def processes(self) -> dict[str, psutil.Process]:
        """Those of the run that live, by what they are."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found[f"{_what(process.cmdline())} {process.pid}"] = process
            except psutil.Error:
                continue
        return found

    def wait(self, seconds: float = 120) -> tuple[int, str]:
        """Exit status, and all that was printed."""
        status = self.process.wait(seconds)
        return status, self.said.read_text()

    def wait_for(self, what: str, seconds: float = 60) -> None:
        """Until a process of this kind lives, or this was printed."""
        deadline = time.monotonic() + seconds
        while not any(what in p for p in self.processes()) and what not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.05)

    def orphans(self, seconds: float = 20) -> list[str]:
        """What still lives so long after the run."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return list(left)

    def kill(self, rng: random.Random) -> str:
        """Kill -9 of one process of the run, or of all of them."""
        found = self.processes()
        name = rng.choice(["reproduce", "notebook", "kernel", "all"])
        chosen = list(found.values()) if name == "all" else [p for n, p in found.items() if n.startswith(name)]
        for process in chosen or [self.process]:  # whose `kill` does nothing to one that has ended
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        return name

    def signal(self, number: int) -> None:
        for process in self.processes().values():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue


def _what(command: list[str]) -> str:
    for word, what in (("ipykernel", "kernel"), ("decondense.book.execute", "notebook"), ("reproduce", "reproduce")):
        if any(word in argument for argument in command):
            return what
    return " ".join(command)


def finish(root: Path, *options: str, **environment: str) -> None:
    """The same command once more, to the end."""
    status, said = Run(root, *options, **environment).wait()
    assert status == 0, said


# --- what came of it ------------------------------------------------------------------------------------------------


def results(root: Path) -> dict:
    """What must not depend on what happened on the way: outputs, results, arrays, and what counts as done."""
    built = root / "build" / "ci"
    outputs = {p.name: [c.get("outputs") for c in cells.read(p)] for p in built.glob("notebooks/*.ipynb")}
    found = [records.read(path) for path in sorted(built.glob("records/*.json"))]
    made = [(r.path.name, r.content["config"], r.content["results"], r.arrays.read_bytes()) for r in found]
    return {"outputs": outputs, "records": made, "done": sorted(p.name for p in built.glob("notebooks/*.json"))}


def corrupt(root: Path, whole: dict) -> int:
    """How many records and finished notebooks, read as the program reads them, are not those of an undisturbed run."""
    expected, count = {name: rest for name, *rest in whole["records"]}, 0
    with warnings.catch_warnings(record=True) as damaged:
        warnings.simplefilter("always")
        for path in (root / "build" / "ci" / "records").glob("*.json"):
            found = records.read(path)
            if found is not None:
                read = [found.content["config"], found.content["results"], found.arrays.read_bytes()]
                count += read != expected[path.name]
    for task in tasks(root):
        if execute.is_done(task):
            count += [c.get("outputs") for c in cells.read(task.output)] != whole["outputs"][task.output.name]
    return count + len(damaged)


def tasks(root: Path) -> list[execute.Task]:
    usual, profiles._table = profiles._table, lambda: TABLE
    try:
        return reproduce.plan(root, "ci")
    finally:
        profiles._table = usual


def left_over(root: Path) -> list[str]:
    """Temporary files of ours, of papermill and of Jupyter."""
    ours = list(root.rglob("*.unfinished"))
    return sorted(
        str(p.relative_to(root)) for p in [*ours, *(root / "tmp").iterdir(), *(root / "runtime").glob("*.json")]
    )


if __name__ == "__main__":
    profiles._table = lambda: TABLE
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started it in the background
    app.app()
