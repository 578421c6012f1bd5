"""Run records: what was asked, what came out, and where it came from. One JSON file each, arrays beside it as `.npz`.

A record is found again by a key, the hash of its configuration and of the code that it depends on. So a run that was
killed goes on after the last record, and a change of the code makes a new one.
"""

import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import psutil

from .base import closure, machine
from .base.extras import need
from .base.files import cache_dir, require_writable, sha256, write_atomically
from .base.settings import variable

PACKAGES = ("decondense", "torch", "transformers", "tokenizers", "datasets", "numpy", "scipy")


class Record(NamedTuple):
    """A record as read from its file. `arrays` is the path of the `.npz` beside it, or `None`."""

    path: Path
    content: dict
    arrays: Path | None


def folder() -> Path:
    """Where records are kept: `DECONDENSE_RECORDS`, or `records` in the cache folder."""
    return Path(variable("DECONDENSE_RECORDS") or cache_dir() / "records")


def committed_folder() -> Path:
    """Where the records that the repository keeps are: `book/results`, which an installed package carries along."""
    inside = Path(__file__).parent / "results"
    return inside if inside.exists() else Path(__file__).parents[2] / "book" / "results"


def run(
    experiment: str,
    config: dict,
    compute: Callable[[], tuple[dict, bytes | None]],
    code: str | None = None,
    *,
    surroundings: dict | None = None,
    committed: bool = False,
) -> Record:
    """The record of `experiment` with `config`: read if it is there and whole, else computed and written.

    config
        What decides the result; must be JSON and hold the `seed`, which is also in the file's name.
    compute
        Gives (results, arrays): a JSON dictionary, and the bytes of an `.npz` file or `None`.
    code
        Name of the module whose code decides the result (`__name__`), with all that it imports (`closure`).
    surroundings
        What else decides it on this machine (versions, device): part of the key, not of the configuration.
    committed
        Take a record that the repository keeps for this very configuration, whatever code and machine made it,
        before computing. For experiments that take long; `is_committed` tells.

    A record that is damaged, or older than the UTC time in `DECONDENSE_FRESH`, is computed again.

    Raises
        ValueError: no seed in the configuration.
        OSError: the disk is full, or the folder cannot be written: said before anything is computed.
    """
    how = {"surroundings": surroundings, "committed": committed}
    found = find(experiment, config, code, **how)
    if found is not None:
        return found
    require_writable(folder())
    start = time.perf_counter()
    results, arrays = compute()
    content = {
        "experiment": experiment,
        "config": config,
        "results": results,
        "provenance": provenance() | {"seconds": round(time.perf_counter() - start, 2), "code_sha256": _source(code)},
    }
    return write(path_of(experiment, config, code, surroundings), content, arrays)


def find(
    experiment: str,
    config: dict,
    code: str | None = None,
    *,
    surroundings: dict | None = None,
    committed: bool = False,
) -> Record | None:
    """The record that `run` would read, or `None` where it would compute. Arguments and errors as there."""
    if "seed" not in config:
        raise ValueError(f"The configuration of {experiment!r} has no 'seed': add one, so that the record names it.")
    found = read(path_of(experiment, config, code, surroundings))
    if found is None and committed:
        found = _from_committed(f"{experiment}-seed{config['seed']}", json.loads(json.dumps(config)))
    old = found is not None and found.content["provenance"]["utc"] < os.environ.get("DECONDENSE_FRESH", "")
    return None if old else found


def path_of(experiment: str, config: dict, code: str | None, surroundings: dict | None = None) -> Path:
    """Where `run` with these arguments keeps its record; the name holds the seed and the key."""
    parts = [experiment, config, _source(code), *([surroundings] if surroundings else [])]
    key = sha256(json.dumps(parts, sort_keys=True))[:12]
    return folder() / f"{experiment}-seed{config['seed']}-{key}.json"


def _source(code: str | None) -> str:
    return "" if code is None else closure.fingerprint(code)


def _from_committed(prefix: str, config: dict) -> Record | None:
    """The committed record of this configuration, copied to where this run keeps its records."""
    for path in sorted(committed_folder().glob(f"{prefix}-*.json")):
        record = read(path)
        if record is None or record.content["config"] != config:
            continue
        for file in filter(None, (record.arrays, path)):  # the arrays first, as in `write`
            write_atomically(folder() / file.name, file.read_bytes())
        return read(folder() / path.name)
    return None


def is_committed(record: Record) -> bool:
    """Whether this record is one that the repository keeps, and was not made, or made again, in this run."""
    kept = read(committed_folder() / record.path.name)
    return kept is not None and kept.content == record.content


def write(path: Path, content: dict, arrays: bytes | None = None) -> Record:
    """Write a record atomically: the arrays first, then the JSON that names their SHA-256 and its own."""
    # Named by content: two processes that make the same record at once never mix their files.
    beside = path.with_name(f"{path.stem}-{sha256(arrays or b'')[:8]}.npz")
    if arrays is not None:
        write_atomically(beside, arrays)
        content = content | {"arrays": {"file": beside.name, "sha256": sha256(arrays)}}
    content = json.loads(json.dumps(content))  # what a reader will get, so that both paths give the same
    write_atomically(path, json.dumps(content | {"sha256": _own_hash(content)}, indent=1) + "\n")
    return Record(path, content, beside if arrays is not None else None)


def read(path: Path) -> Record | None:
    """The record at `path`; `None` if there is none, or, with a warning, if it or its arrays are damaged."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        whole = content.pop("sha256") == _own_hash(content)
        arrays = path.with_name(content["arrays"]["file"]) if "arrays" in content else None
        whole = whole and (arrays is None or sha256(arrays) == content["arrays"]["sha256"])
    except (ValueError, KeyError, TypeError, OSError):
        whole = False
    if not whole:
        warnings.warn(f"The record {path.name} is damaged; it is made again.", stacklevel=2)
        return None
    return Record(path, content, arrays)


def beside_record(rows: Sequence[tuple[str, float, float, float]]) -> "pandas.DataFrame":
    """A check run as a table: quantity, its value in the record and now, the tolerance, and whether they agree.

    NaN agrees with nothing.
    """
    table = need("pandas", extra="train").DataFrame(rows, columns=["quantity", "record", "now", "tolerance"])
    return table.assign(agrees=(table.record - table.now).abs() <= table.tolerance)


def _own_hash(content: dict) -> str:
    return sha256(json.dumps(content, sort_keys=True))


def provenance() -> dict:
    """Versions, git commit, hardware, peak memory of this process so far, and the UTC time."""
    return {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "hardware": _hardware(),
        "peak_memory_bytes": _peak_memory(),
        **_git(),
    }


def version(name: str) -> str | None:
    """The installed version of a package; `None` where it is one of an extra that is missing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def _hardware() -> dict:
    import torch

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": machine.gpu(),
        "torch_threads": torch.get_num_threads(),
    }


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def _git() -> dict:
    """Commit and dirty flag of the checkout that this package runs from; `None` when it is installed from a wheel."""

    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", __file__)  # not some other repository around a virtual environment
        return {"git_commit": ask("rev-parse", "HEAD"), "git_dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"git_commit": None, "git_dirty": None}
