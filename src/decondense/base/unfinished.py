"""Files and folders that are being made, under a name of their own until they are whole; a kill leaves them behind.

Their maker locks them (flock), and the kernel lets go of the lock however the maker ends. So what can be locked has
nobody who will finish it, and goes at once; what cannot is being made at this moment, and stays. The name also tells
the machine: on a disk that several share, a lock may not be seen from another one, and there the age decides.
"""

import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished"  # ends the names
LEFT_BEHIND = 24 * 3600  # seconds without a change, where no lock can tell


def suffix() -> str:
    """How the names end that are given on this machine."""
    return f".{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}{UNFINISHED}"


@contextmanager
def new_file(parent: Path, name: str) -> Iterator[Path]:
    """An empty file, hidden in `parent`, to be written and renamed; what still has its name at the end is removed."""

    def make() -> Path:
        handle, path = tempfile.mkstemp(dir=parent, prefix=f".{name}.", suffix=suffix())
        os.close(handle)
        return Path(path)

    with _owned(make) as path:
        yield path


@contextmanager
def new_folder(parent: Path) -> Iterator[Path]:
    """As `new_file`, a folder."""
    with _owned(lambda: Path(tempfile.mkdtemp(dir=parent, prefix=".", suffix=suffix()))) as path:
        yield path


def left_in(folder: Path) -> list[Path]:
    """What killed processes left in `folder` itself, not in those below it; what is being made now is not among it."""
    return [path for path in folder.glob(f".*{UNFINISHED}") if is_left(path)]


def is_left(path: Path) -> bool:
    """Whether a killed process left this file or folder; one of another name is none that was being made."""
    if not path.name.endswith(UNFINISHED):
        return False
    with suppress(OSError), _held(path) as lock:
        return lock is not None or _old(path)
    return False


def sweep(folder: Path) -> None:
    """Remove `left_in`. That a file cannot be removed is no error: it does no harm."""
    for path in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError), _held(path) as lock:
            if lock is not None or _old(path):
                _remove(path)


@contextmanager
def _owned(make: Callable[[], Path]) -> Iterator[Path]:
    path, lock = _made(make)
    try:
        yield path
    finally:
        with suppress(OSError):  # a disk that has just failed; the next sweep has it
            _remove(path)
        if lock is not None:
            os.close(lock)


def _made(make: Callable[[], Path]) -> tuple[Path, int | None]:
    while True:
        path = make()
        try:
            return path, _lock(path)
        except (BlockingIOError, FileNotFoundError):  # swept before it was locked
            continue


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime >= LEFT_BEHIND


@contextmanager
def _held(path: Path) -> Iterator[int | None]:
    """The lock, held meanwhile so that nobody else starts with it; `None` where a lock tells nothing."""
    lock = _lock(path)
    try:
        yield lock if path.name.endswith(suffix()) else None
    finally:
        if lock is not None:
            os.close(lock)


def _lock(path: Path) -> int | None:
    """A handle that holds the lock of `path`; `None` where the system or the file system has no locks.

    Raises
        BlockingIOError: another one holds it.
        FileNotFoundError: it was removed in the meantime.
        PermissionError: it is another user's.
    """
    try:
        import fcntl  # not on Windows
    except ImportError:
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()
    except (BlockingIOError, FileNotFoundError):
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    return handle
