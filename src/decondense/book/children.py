"""Processes that work beside the notebooks and end with this one, however it ends: downloads, the making of the book.

Such a process lives as long as its standard input is open, as the one that executes a notebook does (`execute`).
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def start(
    module: str, arguments: Sequence[str], log: Path, lock: int | None, environment: Mapping[str, str]
) -> subprocess.Popen:
    """Run `python -m module` in the current folder; all that it says goes to `log`.

    lock
        A file that stays open as long as the process lives: no other run begins before.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        # A session of its own: Ctrl-C reaches the parent alone, and what the process starts can be ended with it.
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )


def stop(child: subprocess.Popen | None) -> None:
    """End the process and all that it has started; nothing is left to be done in order."""
    if child is None or child.poll() is not None:
        return
    _kill(child.pid)
    child.wait()
    child.stdin.close()


def end_with_parent() -> None:
    """To be called by the child: from now on it ends, and all that it starts, when its parent does."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    os.read(0, 1)  # blocks until the parent closes its end, or dies
    _kill(os.getpid())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:  # Windows
            os.kill(pid, signal.SIGTERM)
