"""A throw-away clone with one notebook of the book, which trains six models of a pocket family: Fig. 7."""

import shutil
import sys
import warnings
from pathlib import Path

import toy

from decondense import records
from decondense.book import cells, execute, reproduce

NOTEBOOK = next((Path(__file__).parents[2] / "notebooks").glob("*_fig7_*.ipynb"))


class Run(toy.Run):
    PROGRAM = (sys.executable, "-m", "decondense")


def clone(root: Path) -> Path:
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    shutil.copy(NOTEBOOK, root / "notebooks")
    return root


def finish(root: Path) -> None:
    """The same command once more, to the end."""
    status, said = Run(root).wait(600)
    assert status == 0, said


def results(root: Path) -> dict:
    """What must not depend on what happened on the way: records with their arrays, verdicts, pictures."""
    built = root / "build" / "ci"
    made = {path.name: _content(records.read(path)) for path in built.glob("records/*-seed*.json")}
    verdicts = {path.name: path.read_text() for path in built.glob("records/verdicts-*.json")}
    return {"records": made, "verdicts": verdicts, "pictures": _pictures(built / "notebooks" / NOTEBOOK.name)}


def corrupt(root: Path, whole: dict) -> int:
    """How many records, or a notebook that counts as done, are not those of an undisturbed run."""
    count = 0
    with warnings.catch_warnings(record=True) as damaged:
        warnings.simplefilter("always")
        for path in (root / "build" / "ci" / "records").glob("*-seed*.json"):
            found = records.read(path)
            count += found is not None and _content(found) != whole["records"][path.name]
        (task,) = reproduce.plan(root, "ci")
        count += execute.is_done(task) and _pictures(task.output) != whole["pictures"]
    return count + len(damaged)


def _content(record: records.Record) -> list:
    return [record.content["config"], record.content["results"], record.arrays.read_bytes()]


def _pictures(notebook: Path) -> list[str]:
    outputs = [output.get("data", {}) for cell in cells.read(notebook) for output in cell.get("outputs", [])]
    return [data["image/png"] for data in outputs if "image/png" in data]
