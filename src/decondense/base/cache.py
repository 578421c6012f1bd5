"""What is in the cache folder, how large it is, when it was last used, and what of it nobody needs any more."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import assets, unfinished
from .files import cache_dir

KINDS = {
    "assets": "download",
    "mirrors": "tokenizers and configurations of packed weights",
    "pocket": "models trained here",
    "corpora": "documentation, extracted",
    "streams": "texts as token ids",
    "benchmarks": "tasks, written out",
    "records": "records of runs",
    "pretraining": "runs that wait to go on",
    "midtraining": "runs that wait to go on",
    "locks": "locks",
    "checked": "files of the hub that have the right hash",
    "consents": "licence terms that were accepted",
}
MADE_HERE = ("pocket", "corpora", "streams", "benchmarks")  # made again in minutes, without the network
UNUSED = 30 * 24 * 3600  # seconds without a reader


class Item(NamedTuple):
    """A file or folder of the cache: its kind, `bytes`, when it was last read or written (seconds since 1970), and why
    it is not needed any more (empty: it is).
    """

    kind: str
    path: Path
    bytes: int
    used: float
    needless: str = ""


def items() -> list[Item]:
    """Everything in the cache folder, the largest first.

    Not needed any more: what a killed process left; downloads and mirrors that this version does not read; and what
    was made here and has had no reader for 30 days, as far as the disk notes that. Records, and runs that wait to go
    on, are always needed. A folder that this version knows nothing of is of the kind "unknown", and is left alone.
    """
    return sorted((_item(path) for path in _paths(cache_dir())), key=lambda item: (-item.bytes, item.path))


def clean() -> list[Item]:
    """Remove what is not needed any more; what is being made now stays. Returns what is gone."""
    found = [item for item in items() if item.needless]
    for item in found:
        whole = item.path.is_dir() and not item.path.is_symlink()
        shutil.rmtree(item.path, ignore_errors=True) if whole else item.path.unlink(missing_ok=True)
    return [item for item in found if not item.path.exists()]


def _paths(cache: Path) -> Iterator[Path]:
    """What is two levels down, which is whole downloads, models, files; and what killed processes left below that."""
    for folder in cache.glob("*"):
        inside = list(folder.iterdir()) if folder.is_dir() and folder.name in KINDS else [folder]
        yield from inside
        for path in inside:
            yield from unfinished.left_in(path)


def _item(path: Path) -> Item:
    stats = [file.lstat() for file in _files(path)]
    used = max((max(found.st_atime, found.st_mtime) for found in stats), default=path.lstat().st_mtime)
    kind = path.relative_to(cache_dir()).parts[0]
    size = sum(found.st_size for found in stats)
    return Item(kind if kind in KINDS else "unknown", path, size, used, _needless(path, kind, used))


def _files(path: Path) -> list[Path]:
    """Of a file or folder, without what was left in it: that counts by itself."""
    left = unfinished.left_in(path)
    every = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return [file for file in every if file.is_file() and not any(file.is_relative_to(other) for other in left)]


def _needless(path: Path, kind: str, used: float) -> str:
    if unfinished.is_left(path):
        return "left by a process that was killed"
    if path.name.endswith(unfinished.UNFINISHED):
        return ""  # is being made
    known = {"assets": list(assets.table()), "mirrors": [assets.key(name) for name in assets.table()]}
    if path.name not in known.get(kind, [path.name]):
        return "of another version of decondense"
    return "not used for 30 days" if kind in MADE_HERE and time.time() - used > UNUSED else ""
