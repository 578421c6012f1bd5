"""Arrays in an `.npz` file that anyone may have made: looked at before anything is unpacked."""

import math
import zipfile
from pathlib import Path

import numpy as np
import psutil

from .machine import GIB


def read_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` file, by name; no pickles.

    Raises
        ValueError: an array that holds objects, or is shorter than its header says.
        MemoryError: unpacked, they would take more than the memory that is free.
        Whatever zipfile and numpy raise for a damaged file (BadZipFile, zlib.error, EOFError, ...).
    """
    with zipfile.ZipFile(path) as archive:
        size, free = sum(member.file_size for member in archive.infolist()), psutil.virtual_memory().available
        if size > free:
            raise MemoryError(
                f"{path} holds {size / GIB:.1f} GiB of arrays, {free / GIB:.1f} GiB of memory are free. Take a larger "
                "machine, or see whether this is the file that you mean."
            )
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in archive.infolist()}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        if np.lib.format.read_magic(file) != (1, 0):  # what numpy writes for plain arrays
            raise ValueError(f"its array {member.filename} has an unusual header")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        rest = member.file_size - file.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > rest:
        raise ValueError(f"its array {member.filename} is not as long as it says, or holds objects")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
