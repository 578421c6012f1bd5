"""Files opened: pipes and gzip as well, and what goes wrong deep within one, said with its name."""

import gzip
import shutil
import sys
import tempfile
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase, BytesIO, TextIOWrapper
from pathlib import Path

from . import encodings, refused

STDIN = "-"
HEAD = 1 << 16  # bytes that a file is recognised by, and characters read at a time


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The bytes of a file, unpacked if it is gzip. A pipe goes through a file on disk, to be read twice."""
    with ExitStack() as stack:
        file = sys.stdin.buffer if str(path) == STDIN else stack.enter_context(path.open("rb"))
        if str(path) == STDIN or not file.seekable():
            shutil.copyfileobj(file, on_disk := stack.enter_context(tempfile.TemporaryFile()))
            file = on_disk
        file.seek(0)
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file


@contextmanager
def decoded(file: BufferedIOBase, encoding: str) -> Iterator[TextIOWrapper]:
    """The characters of a file from its start, which stays open."""
    file.seek(0)
    text = TextIOWrapper(file, encoding)
    try:
        yield text
    finally:
        text.detach()


def check(path: Path) -> None:
    """Refuse a path where no file is.

    Raises
        FileNotFoundError, IsADirectoryError: nothing is there, or a folder.
    """
    if path.is_dir():
        if any((path / name).exists() for name in ("dataset_info.json", "dataset_dict.json")):
            raise IsADirectoryError(f"{path} is a folder of a data set. Give it as such: --dataset {path}")
        raise IsADirectoryError(f"{path} is a folder. Name the files in it, each with a --texts of its own.")
    if not path.exists() and str(path) != STDIN:
        raise FileNotFoundError(f"There is no file {path}. Give --texts a file, or --dataset a name.")


@contextmanager
def plainly(name: str, file: BufferedIOBase) -> Iterator[None]:
    """What goes wrong deep within a file, said with its name.

    Raises
        ValueError: its encoding is unknown or another one; it is damaged.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(_of_encoding(name, head_of(file), error)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name} is a damaged gzip file ({error}). Copy it again.") from error


def _of_encoding(name: str, head: bytes, error: UnicodeDecodeError) -> str:
    damaged = f"{name} is damaged {{}} ({error.reason}). Copy it again, or mend it"
    if not error.encoding.startswith("utf-8"):
        return f"{damaged.format(error.encoding.upper())}."
    around = head.decode("utf-8", "ignore").encode() + error.object if _is_utf8(head) else head
    encoding, sample = encodings.guess(around) or ("", "")
    if encoding == "UTF-8":
        return f"{damaged.format(encoding)}, near {sample!r}."
    file = refused.in_shell(name)
    if not encoding:
        return (
            f"{name} is not UTF-8, nor any other encoding known here. Find out which (file -i {file}), then use iconv."
        )
    cure = f"If that is right: iconv -f {encoding} -t UTF-8 {file} > utf8.txt"
    return f"{name} is not UTF-8. It is probably {encoding}, and reads {sample!r}. {cure}"


def _is_utf8(head: bytes) -> bool:
    """Whether the first bytes of a file are, of which the last may be cut off."""
    try:
        getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return False
    return True


def head_of(file: BufferedIOBase) -> bytes:
    """The first bytes; the file is at its start afterwards."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    return head


def size_of(file: BufferedIOBase) -> int:
    """In bytes; the file is at its start afterwards."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def seekable(file: BufferedIOBase) -> BufferedIOBase:
    """Parquet is read from its end, and gzip goes back only from the start."""
    return BytesIO(file.read()) if isinstance(file, gzip.GzipFile) else file
