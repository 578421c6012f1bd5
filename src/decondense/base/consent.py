"""Consent to licence terms: given once, kept in the cache with its date, read ever after."""

import json
from datetime import UTC, datetime
from pathlib import Path

from .files import cache_dir, write_atomically

FOLDER = "consents"  # in the cache


def give(name: str, terms: str) -> Path:
    """Note that the terms of the asset `name` were accepted now. Returns the file that says so.

    Raises
        OSError: the disk is full, or the cache cannot be written.
    """
    note = {"terms": terms, "utc": datetime.now(UTC).isoformat(timespec="seconds")}
    return write_atomically(_path(name), json.dumps(note, indent=1) + "\n")


def given(name: str, terms: str) -> str | None:
    """When these very terms were accepted (UTC); `None` where they were not, or where the note is damaged."""
    try:
        note = json.loads(_path(name).read_text(encoding="utf-8"))
        return str(note["utc"]) if note["terms"] == terms else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(name: str) -> Path:
    return cache_dir() / FOLDER / f"{name}.json"
