"""The book made while notebooks run: first from what the repository keeps, then again as pages finish.

`python -m decondense.book.site PROFILE RUN AGAIN` is the process that makes it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..base.files import repository_root
from . import children

PAUSE = 4  # times as long as the book took to make: so long it is left as it is


@dataclass
class Site:
    """The book of a profile in a run, and what has become of it."""

    folder: Path  # build/<profile>
    begun: str  # the run, UTC
    states: dict[str, str] = field(default_factory=dict)  # of the notebooks when it was last begun
    index: Path | None = None  # once it was made
    why: str = ""  # the last attempt failed
    seconds: float = 0.0  # that the last one took
    began: float = 0.0
    ended: float = 0.0
    child: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "book.log"


def start(site: Site, states: Mapping[str, str], lock: int | None) -> None:
    """Begin to make the book; `states` are those of the notebooks, by id."""
    waiting = sorted(name for name, state in states.items() if state in ("waiting", "running"))
    arguments = [site.folder.name, json.dumps([site.begun, waiting]), json.dumps(site.index is not None)]
    site.child = children.start(__name__, arguments, site.log, lock, os.environ)
    site.states, site.began = dict(states), time.monotonic()


def poll(site: Site) -> bool:
    """Whether the book that was being made is made, or has failed (`why`), since the last call."""
    if site.child is None or site.child.poll() is None:
        return False
    site.child.stdin.close()
    said = site.log.read_text(encoding="utf-8", errors="replace").strip()
    failed, site.child = site.child.returncode, None
    site.index, site.why = (None, said) if failed else (site.folder / "book" / "index.html", "")
    site.ended = time.monotonic()
    site.seconds = site.ended - site.began
    return True


def is_due(site: Site, states: Mapping[str, str], now: float) -> bool:
    """Whether to make the book again: a notebook has come to its end, and the last book is old enough."""
    ended = any(states[name] != old and states[name] not in ("waiting", "running") for name, old in site.states.items())
    return site.child is None and ended and now - site.ended >= PAUSE * site.seconds


def line(site: Site) -> str:
    """The state of the book in one line."""
    shown = sum(state.endswith("done") for state in site.states.values())
    if site.child is not None:
        return "book: being made" + (" again" if site.index else "")
    if site.why:
        return f"book: not made, look into {site.log.relative_to(site.folder.parents[1])}"
    return f"book: {shown} of {len(site.states)} pages of these notebooks are of this run" if site.index else ""


# --- the process itself ---------------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    """Make the book of a profile; a book that is made again gives way to the notebooks."""
    children.end_with_parent()
    profile, run, again = arguments[0], json.loads(arguments[1]), json.loads(arguments[2])
    if again and hasattr(os, "nice"):
        os.nice(10)
    from . import build  # late: it imports torch
    from .shown import Run

    os.chdir(repository_root())
    try:
        build.build(profile, Run(run[0], frozenset(run[1])), again)
    except Exception as error:  # told by the parent, whose notebooks go on
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
