"""Execute the notebooks in order, skip what is done, and build the book: `decondense reproduce`."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..base import cache
from ..base.errors import unknown
from ..base.extras import require
from ..base.files import cache_dir, repository_root, require_writable, write_atomically
from ..base.settings import named
from . import cells, execute, profiles, progress
from .execute import Task

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PACKAGES = ("papermill", "ipykernel", "nbformat", "jupyter_book")  # of the extra `book`


def reproduce(
    profile: str = "laptop",
    only: Iterable[str] = (),
    fresh: bool = False,
    jobs: int = 1,
    settings: Iterable[str] = (),
    with_book: bool = True,
    console: Console | None = None,
) -> int:
    """Execute the notebooks of a profile, then build the book.

    Returns the exit status: 0, 1 (a notebook or the book failed), 130 (Ctrl-C, SIGTERM). A second run of the same
    profile in the same clone waits for the first.

    only
        Ids of the notebooks to execute; empty for all of them.
    fresh
        Execute what is done already as well, and let no record made before now count.
    jobs
        Notebooks at a time.
    settings
        `NAME=VALUE` over the profile's parameters, in every selected notebook that has NAME.

    Raises
        FileNotFoundError: not inside a clone of the repository.
        ValueError: unknown profile, notebook or parameter; a parameter that would have no effect.
        ImportError: the extra `book` is not installed.
        OSError: the disk is full, or the folder build/ cannot be written.
    """
    require(*PACKAGES, extra="book")
    console = console or Console()
    root = repository_root()
    tasks = plan(root, profile, only, settings)
    with terminable(), alone(tasks, console):
        return _reproduce(tasks, fresh, jobs, with_book, console)


def _reproduce(tasks: list[Task], fresh: bool, jobs: int, with_book: bool, console: Console) -> int:
    if fresh:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for task in tasks:
            write_atomically(task.fresh, now)
    mark_done(tasks)
    console.print(progress.headline(tasks), highlight=False, soft_wrap=True)
    try:
        with progress.display(tasks, console) as show:
            run(tasks, jobs, show)
    except KeyboardInterrupt:
        if not progress.is_live(console):
            console.print(progress.table(tasks))
        console.print("Interrupted. The same command (without --fresh) goes on from here.", style="yellow")
        return 130
    whole = progress.report(tasks, console)
    if with_book:
        whole = build_book(tasks[0].root, tasks[0].profile, console) and whole
    kept = sum(item.bytes for item in cache.items()) / 1e9
    said = f"Downloads and models are kept in {cache_dir()}, {kept:.1f} GB: `decondense cache` says what for."
    console.print(Text(said), soft_wrap=True)
    return 0 if whole else 1


def build_book(root: Path, profile: str, console: Console) -> bool:
    """Build the book from what was executed and print where it is; `False`, with the reason printed, if it fails.

    Raises
        ImportError: the extra `book` is not installed.
    """
    require(*PACKAGES, extra="book")
    console.print("Building the book")
    try:
        from . import build

        with chdir(root):
            index = build.build(profile)
    except Exception as error:  # whatever it is: what was executed stands, and the exit status says the rest
        said = Text(f"The book was not built. {type(error).__name__}: {error}", style="bold red")
        console.print(said, soft_wrap=True)
        return False
    console.print(Text(f"The book: {index}"), soft_wrap=True)
    return True


# --- what to run ----------------------------------------------------------------------------------------------------


def plan(root: Path, profile: str, only: Iterable[str] = (), settings: Iterable[str] = ()) -> list[Task]:
    """The selected notebooks in order, with their parameters checked; nothing is executed yet."""
    if profile not in profiles.PROFILES:
        raise unknown("profile", profile, profiles.PROFILES)
    by_id = {profiles.notebook_id(p): p for p in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
    only = list(only)
    for name in only:
        if name not in by_id:
            raise unknown("notebook", name, by_id)
    chosen = [path for name, path in by_id.items() if not only or name in only]
    if not chosen:
        raise FileNotFoundError(f"No notebook NN_id_title.ipynb in {root / 'notebooks'}.")
    taken = {path: cells.takes(path) for path in chosen}
    known = sorted(set().union(*(defined & read for defined, read in taken.values())))
    overrides = dict(_override(setting, known) for setting in settings)
    return [_task(root, profile, path, {n: v for n, v in overrides.items() if n in taken[path][0]}) for path in chosen]


def _override(setting: str, known: list[str]) -> tuple[str, object]:
    name, value = named("--set", setting)
    if name not in known:
        raise unknown("parameter", name, known)
    return name, value


def _task(root: Path, profile: str, notebook: Path, overrides: dict) -> Task:
    task = Task(root, profile, notebook, profiles.parameters(profile, profiles.notebook_id(notebook)) | overrides)
    cells.check_parameters(notebook, task.parameters)
    cells.check_types(notebook, task.parameters)
    task.estimate = execute.read_stamp(task.stamp).get("seconds")
    if task.estimate is None and (minutes := profiles.estimate_minutes(profile, task.id)) is not None:
        task.estimate = minutes * 60.0
    return task


# --- running --------------------------------------------------------------------------------------------------------


def _needed(task: Task, tasks: list[Task]) -> list[Task]:
    return [other for other in tasks if other.id in profiles.needs(task.id)]


def mark_done(tasks: list[Task]) -> None:
    """Mark what need not be executed: done as it is now, and so is all that it needs."""
    for task in tasks:
        if execute.is_done(task) and all(other.state == "already done" for other in _needed(task, tasks)):
            task.state = "already done"


def run(tasks: list[Task], jobs: int, show: Callable[[], None]) -> None:
    """Bring every task to an end, `jobs` at a time, each after those it needs; `show` is called all the while."""
    try:
        while any(task.state in ("waiting", "running") for task in tasks):
            for task in tasks:
                _advance(task, tasks, jobs)
            show()
            time.sleep(0.1)
    finally:
        execute.stop(tasks, show)


def _advance(task: Task, tasks: list[Task], jobs: int) -> None:
    if task.state == "running":
        execute.poll(task)
    if task.state != "waiting":
        return
    needed, running = _needed(task, tasks), sum(other.state == "running" for other in tasks)
    if broken := [other.id for other in needed if other.state in ("failed", "blocked")]:
        task.state, task.why = "blocked", f"needs {', '.join(broken)}"
        for old in (task.stamp, task.output):  # the book must not show it beside a failed source
            old.unlink(missing_ok=True)
    elif running < jobs and all(other.state.endswith("done") for other in needed):
        execute.start(task, jobs)


@contextmanager
def alone(tasks: list[Task], console: Console) -> Iterator[None]:
    """Hold the lock of this profile's folder: two runs at once would write into each other's notebooks.

    The system frees it when this process and the children that it started have ended, however they end.
    """
    folder = tasks[0].folder
    require_writable(folder)
    if fcntl is None:  # Windows
        yield
        return
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = folder.relative_to(tasks[0].root)
            console.print(
                f"Another run works in {where}. Waiting until it ends; Ctrl-C leaves it alone.", highlight=False
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        for task in tasks:
            task.lock = file.fileno()
        yield


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, which batch systems and `kill` send, end a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
