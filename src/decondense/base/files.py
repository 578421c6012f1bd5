"""Files that are never half written, and where caches and the repository are."""

import errno
import filecmp
import hashlib
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from . import unfinished
from .settings import variable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
CANNOT_WRITE = _FULL + _CLOSED
T = TypeVar("T")


def cache_dir() -> Path:
    """Where downloads, corpora and trained pocket models are kept: `DECONDENSE_CACHE`, or the user's cache folder.

    A variable that is empty counts as not set.

    Raises
        NotADirectoryError: it is a file.
    """
    default = Path(variable("XDG_CACHE_HOME") or Path.home() / ".cache") / "decondense"
    folder = Path(variable("DECONDENSE_CACHE") or default)
    if folder.is_file():
        raise NotADirectoryError(f"The cache {folder} is a file. Set DECONDENSE_CACHE to a folder.")
    return folder


def sweep_cache() -> None:
    """Remove what killed processes left anywhere in the cache; it costs a listing of its folders."""
    cache = cache_dir()
    for folder in (cache, *cache.glob("*/"), *cache.glob("*/*/")):  # nothing is made further down
        unfinished.sweep(folder)


def repository_root() -> Path:
    """The nearest folder, from the current one upwards, with pyproject.toml and notebooks/ in it.

    Raises
        FileNotFoundError: there is none.
    """
    for folder in (here := Path.cwd(), *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        f"No pyproject.toml with notebooks/ beside it in {here} or above. Run this inside a clone of the repository."
    )


def write_atomically(path: Path, data: bytes | str) -> Path:
    """Write `data` to `path` so that a reader, or a kill at any moment, sees the old file or the new one, never a part.

    Temporary file in the same folder, flush, fsync, rename. Returns `path`.

    Raises
        OSError: the disk is full, or the folder cannot be written; the message names the cure.
    """
    path = Path(path)
    with writing_into(path.parent), unfinished.new_file(path.parent, path.name) as temporary:
        with temporary.open("wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # it was made for its owner alone
        os.replace(temporary, path)
    return path


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, to be filled and then renamed to its place; what still has this name goes at the end.

    Raises
        OSError: as `write_atomically`, for what is written in the `with` block as well.
    """
    with writing_into(parent), unfinished.new_folder(parent) as folder:
        os.chmod(folder, 0o777 & ~_umask())  # as above
        yield folder


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Make the folder, clear it of what killed processes left in it, and name the cure when writing fails.

    Raises
        OSError: with the error number of the failure.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.sweep(folder)
        yield
    except Exception as error:
        if (number := _number(error)) not in CANNOT_WRITE:
            raise
        raise OSError(number, f"{os.strerror(number)}. {_cure(number, folder)}", str(folder)) from error


def move_folder(folder: Path, target: Path) -> None:
    """Rename a folder, unless another process has put the same one there in the meantime."""
    try:
        folder.rename(target)
    except OSError:
        if not target.exists():
            raise


def mirror(source: Path, target: Path, beside: Iterable[str] = ()) -> None:
    """Make the folder `target` the same as `source`, file by file; what is the same already is not touched.

    Each file is replaced at once: who reads in `target` meanwhile finds the old file or the new one, never a part.

    beside
        Names directly in `target` that are left alone.

    Raises
        OSError: as `write_atomically`.
    """
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    with writing_into(target):
        for name in sorted(wanted):
            if not ((target / name).is_file() and filecmp.cmp(source / name, target / name, shallow=False)):
                _replace(source / name, target / name)
    for path in sorted(target.rglob("*"), reverse=True):  # a folder after what is in it
        name = path.relative_to(target)
        if name.parts[0] in beside or name in wanted:
            continue
        if not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def _replace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.new_file(target.parent, target.name) as temporary:
        shutil.copyfile(source, temporary)
        os.chmod(temporary, 0o666 & ~_umask())  # as in `write_atomically`
        os.replace(temporary, target)


def require_writable(folder: Path) -> None:
    """Find out before long work that its result could not be kept.

    Raises
        OSError: the disk is full, or the folder cannot be written; the message names the cure.
    """
    with writing_into(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(1 << 16))


def read_or_make_again(make: Callable[[], Path], read: Callable[[Path], T]) -> T:
    """What `read` gives of the folder that `make` gives. A damaged one is removed, with a warning, and made again."""
    from safetensors import SafetensorError

    folder = make()
    try:
        return read(folder)
    except (OSError, ValueError, SafetensorError) as error:  # all that transformers raises for a file cut short
        why = str(error).splitlines()[0]
        warnings.warn(f"The cached {folder.name} is damaged ({why}); it is made again.", stacklevel=2)
        shutil.rmtree(folder)
        return read(make())


def _number(error: Exception) -> int | None:
    """The system's error number: of an `OSError`, or of what safetensors and tokenizers raise, which are in Rust."""
    said = re.search(r"\(os error (\d+)\)", str(error))
    return int(said[1]) if said else getattr(error, "errno", None)


def _cure(number: int, folder: Path) -> str:
    cache = folder.is_relative_to(cache_dir())
    elsewhere = "set DECONDENSE_CACHE to a folder " + ("on another disk" if number in _FULL else "that you can write")
    here = "Free some space" if number in _FULL else "Make this folder writable"
    here = "Look after the disk" if number == errno.EIO else here
    return f"{here}{f', or {elsewhere}' if cache else ''}, then give the same command again"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(data: bytes | str | Path) -> str:
    """SHA-256, in hex, of bytes, of a text, or of the file at a `Path` (read in pieces)."""
    if isinstance(data, Path):
        with data.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
