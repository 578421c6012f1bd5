"""What a run of notebooks says of itself: how much there is to do, what each notebook is at, what failed and why."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .execute import Task

HEARTBEAT_SECONDS = 60  # between two signs of life in a log
_STYLES = {
    "waiting": "dim",
    "running": "cyan",
    "done": "green",
    "already done": "green",
    "failed": "bold red",
    "blocked": "yellow",
    "interrupted": "yellow",
}


def clock(seconds: float | None) -> str:
    """A duration as m:ss, or h:mm:ss from an hour on; empty for `None`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def headline(tasks: list[Task]) -> str:
    """How much there is to do, and how long it may take: said before it starts."""
    todo = [task for task in tasks if task.state == "waiting"]
    known = [task.estimate for task in todo if task.estimate is not None]
    about = f", about {clock(sum(known))} of work" if known else ""
    blind = f" ({len(todo) - len(known)} without an estimate)" if len(known) < len(todo) else ""
    where = tasks[0].folder.relative_to(tasks[0].root)
    return f"Profile {tasks[0].profile}: {len(todo)} of {len(tasks)} notebooks to execute{about}{blind}, into {where}"


def table(tasks: list[Task]) -> Table:
    """The state of each notebook, one line each."""
    found = Table(box=None, pad_edge=False, header_style="dim")
    found.add_column("notebook", overflow="ellipsis", no_wrap=True)
    found.add_column("state", no_wrap=True, min_width=12)
    found.add_column("elapsed", justify="right", no_wrap=True, min_width=7)
    found.add_column("about", justify="right", no_wrap=True, min_width=7)
    for task in tasks:
        state = Text(task.state, _STYLES[task.state])
        found.add_row(task.notebook.stem, state, clock(task.seconds), clock(task.estimate))
    return found


def is_live(console: Console) -> bool:
    """Whether lines can be drawn again: not in a log, even where colours are forced on."""
    return console.is_interactive and console.file.isatty()


@contextmanager
def display(
    tasks: list[Task], console: Console, beside: Callable[[], list[str]] = list
) -> Iterator[Callable[[], None]]:
    """Give a function that shows the tasks and the lines `beside` them: live in a terminal, plain lines in a log."""
    if not is_live(console):
        yield _plain(tasks, console, beside)
        return
    shown = lambda: Group(table(tasks), *(Text(line, "dim") for line in beside()))
    with Live(shown(), console=console, auto_refresh=False) as live:
        yield lambda: live.update(shown(), refresh=True)


def _plain(tasks: list[Task], console: Console, beside: Callable[[], list[str]]) -> Callable[[], None]:
    said = {task.id: "waiting" for task in tasks}
    last = time.monotonic()

    def show() -> None:
        nonlocal last
        lines = [task for task in tasks if task.state != said[task.id]]
        if not lines and time.monotonic() - last >= HEARTBEAT_SECONDS:
            lines = [task for task in tasks if task.state == "running"]
        for task in lines:
            said[task.id], last = task.state, time.monotonic()
            console.print(_line(task), soft_wrap=True, markup=False, highlight=False)
        if lines:
            now = f"{datetime.now():%H:%M:%S}"
            console.print(f"{now} {'; '.join(beside())}", soft_wrap=True, markup=False, highlight=False)
        console.file.flush()

    return show


def _line(task: Task) -> str:
    elapsed = f" {clock(task.seconds)}" if task.seconds else ""
    about = f" of about {clock(task.estimate)}" if task.state == "running" and task.estimate else ""
    why = f": {task.why}" if task.why else ""
    return f"{datetime.now():%H:%M:%S} {task.notebook.stem} {task.state}{elapsed}{about}{why}"


def report(tasks: list[Task], console: Console) -> bool:
    """Print which notebooks failed, why, and where to look; `True` when none did."""
    bad = [task for task in tasks if not task.state.endswith("done")]
    if not bad:
        return True
    console.print("Not reproduced:", style="bold")
    for task in bad:
        console.print(Text(f"{task.notebook.stem} {task.state}: {task.why}", _STYLES[task.state]), soft_wrap=True)
        if task.look:  # a path on a line of its own can be copied
            console.print(Text(f"  look into {task.look.relative_to(task.root)}"), soft_wrap=True)
    return False
