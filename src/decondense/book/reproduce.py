"""Build a first book, execute the notebooks, skip what is done, and build the book again: `decondense reproduce`."""

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..base import cache, machine
from ..base.errors import unknown
from ..base.extras import require
from ..base.files import cache_dir, repository_root, require_writable, write_atomically
from ..base.settings import named
from . import cells, children, downloads, execute, profiles, progress, schedule, site
from .downloads import Downloads
from .execute import Task
from .site import Site

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PACKAGES = ("papermill", "ipykernel", "nbformat", "jupyter_book")  # of the extra `book`


def reproduce(
    profile: str = "laptop",
    only: Iterable[str] = (),
    fresh: bool = False,
    jobs: int | None = None,
    settings: Iterable[str] = (),
    with_book: bool = True,
    console: Console | None = None,
) -> int:
    """Build a book of what the repository keeps, execute the notebooks of a profile, and build the book again.

    Meanwhile downloads are fetched ahead, and pages of the first book are replaced by those of this run as notebooks
    come to their end. A profile that does not show the committed run (`profiles`) has no first book.

    Returns the exit status: 0, 1 (a notebook or the book failed), 130 (Ctrl-C, SIGTERM). A second run of the same
    profile in the same clone waits for the first.

    only
        Ids of the notebooks to execute; empty for all of them.
    fresh
        Execute what is done already as well, and let no record made before now count.
    jobs
        Notebooks at a time; `None`: as many as cores and free memory allow (`schedule.jobs`). The making of the first
        book counts as one of them.
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


def _reproduce(tasks: list[Task], fresh: bool, jobs: int | None, with_book: bool, console: Console) -> int:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if fresh:
        for task in tasks:
            write_atomically(task.fresh, now)
    mark_done(tasks)
    console.print(progress.headline(tasks), highlight=False, soft_wrap=True)
    ahead, book = downloads.plan(schedule.in_order(_open(tasks)), tasks[0].folder), None
    if with_book and _open(tasks) and profiles.shows_committed(tasks[0].profile):
        book = Site(tasks[0].folder, now)
    try:
        run(tasks, jobs, ahead, book, console)
    except KeyboardInterrupt:
        if not progress.is_live(console):
            console.print(progress.table(tasks))
        console.print("Interrupted. The same command (without --fresh) goes on from here.", style="yellow")
        return 130
    whole = progress.report(tasks, console)
    if with_book:
        again = book is not None and book.index is not None
        whole = build_book(tasks[0].root, tasks[0].profile, console, again) and whole
    kept = sum(item.bytes for item in cache.items()) / 1e9
    said = f"Downloads and models are kept in {cache_dir()}, {kept:.1f} GB: `decondense cache` says what for."
    console.print(Text(said), soft_wrap=True)
    return 0 if whole else 1


def build_book(root: Path, profile: str, console: Console, again: bool = False) -> bool:
    """Build the book from what was executed and print where it is; `False`, with the reason printed, if it fails.

    again
        As in `build.build`.

    Raises
        ImportError: the extra `book` is not installed.
    """
    require(*PACKAGES, extra="book")
    console.print("Building the book")
    try:
        from . import build

        with chdir(root):
            index = build.build(profile, again=again)
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
    if task.estimate is None and profiles.shows_committed(profile):
        from . import kept  # late: it needs the extra `book`

        committed = kept.read(root, notebook.stem) or {}
        task.estimate = committed.get("seconds") if committed.get("profile") == profile else None
    if task.estimate is None and (minutes := profiles.estimate_minutes(profile, task.id)) is not None:
        task.estimate = minutes * 60.0
    return task


# --- running --------------------------------------------------------------------------------------------------------


def _open(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if task.state in ("waiting", "running")]


def mark_done(tasks: list[Task]) -> None:
    """Mark what need not be executed: done as it is now, and so is all that it needs."""
    for task in tasks:
        if execute.is_done(task) and all(o.state == "already done" for o in schedule.needed(task, tasks)):
            task.state = "already done"


def run(tasks: list[Task], jobs: int | None, ahead: Downloads, book: Site | None, console: Console) -> None:
    """Bring every task to an end, `jobs` at a time, each after those it needs and after its downloads (`ahead`).

    The book, if one is to be shown meanwhile, is made first and then again as tasks end.
    """
    lock = tasks[0].lock
    try:
        downloads.start(ahead, lock)
        if book:
            site.start(book, _states(tasks), lock)
        at_a_time = jobs or _jobs_here()
        with progress.display(tasks, console, lambda: _beside(tasks, at_a_time, ahead, book)) as show:
            try:
                while _open(tasks) or (book and book.child):  # a book cut short could not be gone on with
                    _advance(tasks, at_a_time, ahead, book)
                    if book and (said := _advance_book(book, tasks)):
                        console.print(Text(said), soft_wrap=True)
                    show()
                    time.sleep(0.1)
            finally:
                execute.stop(tasks, show)
    finally:
        for child in (ahead.child, book.child if book else None):
            children.stop(child)


def _jobs_here() -> int:
    import psutil  # late, as torch: help needs neither

    return schedule.jobs(machine.cores(), psutil.virtual_memory().available, bool(machine.gpu()))


def _advance(tasks: list[Task], at_a_time: int, ahead: Downloads, book: Site | None) -> None:
    downloads.poll(ahead)
    for task in tasks:
        if task.state == "running":
            execute.poll(task)
    for task in tasks:
        if task.state == "waiting":
            _block(task, tasks)
    first = book is not None and book.child is not None and book.index is None
    is_there = lambda name: downloads.are_there(ahead, name)
    while sum(task.state == "running" for task in tasks) + first < at_a_time:
        if (task := schedule.following(tasks, is_there)) is None:
            return
        execute.start(task, at_a_time)


def _block(task: Task, tasks: list[Task]) -> None:
    if broken := [other.id for other in schedule.needed(task, tasks) if other.state in ("failed", "blocked")]:
        task.state, task.why = "blocked", f"needs {', '.join(broken)}"
        for old in (task.stamp, task.output):  # the book must not show it beside a failed source
            old.unlink(missing_ok=True)


# --- the book meanwhile ---------------------------------------------------------------------------------------------


def _states(tasks: list[Task]) -> dict[str, str]:
    return {task.id: task.state for task in tasks}


def _advance_book(book: Site, tasks: list[Task]) -> str:
    """Go on with the book; what there is to say of it, once."""
    first = book.index is None and not book.why
    if site.poll(book):
        if book.why:
            return f"The book was not built. {book.why}"
        return f"The book: {book.index}\n{_first(tasks)}" if first else ""
    if _open(tasks) and site.is_due(book, _states(tasks), time.monotonic()):
        site.start(book, _states(tasks), tasks[0].lock)
    return ""


def _first(tasks: list[Task]) -> str:
    """What the first book shows."""
    from . import kept

    said = "It shows the committed run; each page says so until its notebook has run, and is replaced then."
    old = kept.stale(tasks[0].root)
    return said + (f" Not in it, as their code has changed since: {', '.join(old)}." if old else "")


def _beside(tasks: list[Task], at_a_time: int, ahead: Downloads, book: Site | None) -> list[str]:
    """What is shown below the notebooks."""
    rest = schedule.left(tasks, at_a_time)
    then = book.seconds if book else 0.0  # for the book at the end
    lines = [downloads.line(ahead), site.line(book) if book else ""]
    lines += [f"about {progress.clock(rest + then)} left"] if rest is not None and _open(tasks) else []
    return [line for line in lines if line]


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
