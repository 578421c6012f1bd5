"""Files that are never half written, and where caches live."""

import hashlib
import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Where downloads, corpora and trained pocket models are kept: `DECONDENSE_CACHE`, or the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "decondense"
    return Path(os.environ.get("DECONDENSE_CACHE", default))


def write_atomically(path: Path, data: bytes | str) -> Path:
    """Write `data` to `path` so that a reader, or a kill at any moment, sees the old file or the new one, never a part.

    Temporary file in the same folder, flush, fsync, rename. Returns `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only the owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


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
