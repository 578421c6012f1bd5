"""What files of hidden states hold: arrays by name, one after the other; no pickle is run.

Arrays are mapped into memory or read when they are used, so a file may be larger than the memory.
"""

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

STATES, MASK, COUNTED = "hidden_states", "attention_mask", ("token_ids", "input_ids")
BESIDE = (*COUNTED, MASK, "position_ids", "labels")  # what is saved beside hidden states and is none


@dataclass(frozen=True)
class Array:
    """An array in a file; its values are read by `load`."""

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], torch.Tensor]


class Held(NamedTuple):
    """The states of one text, or of a batch of texts: one array, or the layers as arrays of their own.

    tokens
        Number of tokens by the ids or the mask beside the states, `None` where there are neither.
    """

    name: str
    arrays: list[Array]
    layered: bool
    tokens: int | None
    mask: torch.Tensor | None


def paths(path: Path) -> list[Path]:
    """The file itself, or all files of a folder by name, numbers by value; lock files and hidden ones left out.

    Raises
        FileNotFoundError: no such file.
        ValueError: an empty folder, or a file whose ending is none of states.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"There is no file or folder {path}. Give --states what the hidden states were saved in."
        )
    found = [path]
    if path.is_dir():
        found = sorted(path.iterdir(), key=lambda p: _natural(p.name))
        found = [p for p in found if p.suffix != ".lock" and not p.name.startswith(".")]  # vLLM leaves lock files
    if not found:
        raise ValueError(f"The folder {path} is empty. Give one with a file of hidden states for each text.")
    for file in found:
        if file.suffix.lower() not in _OPEN or file.is_dir():
            raise ValueError(
                f"{file.name} is no file of hidden states that can be read. Give {', '.join(_OPEN)}, and a folder with "
                "nothing else in it."
            )
    return found


def held(path: Path) -> Iterator[Held]:
    """The texts of a file, by name.

    Raises
        ValueError: damaged, a pickle, no arrays, integers, layers that are not numbered.
    """
    content = _understood(path, lambda: _OPEN[path.suffix.lower()](path))
    if not isinstance(content, Mapping) or STATES in content:
        return iter([_one(path.name, content, {})])
    arrays = {str(name): value for name, value in content.items() if str(name) not in BESIDE}
    if not arrays:
        raise ValueError(f"{path.name} holds no hidden states. Leave it out.")
    if _are_layers(list(arrays.values())):
        return iter([_one(path.name, arrays, content)])
    beside = content if len(arrays) == 1 else {}
    return (_one(f"{path.name}: {name}", arrays[name], beside) for name in sorted(arrays, key=_natural))


def _one(name: str, content: Any, beside: Mapping) -> Held:
    if isinstance(content, Mapping) and STATES in content:
        return _one(name, content[STATES], content)
    layered = not isinstance(content, Array)
    arrays = [content]
    if isinstance(content, Mapping):
        arrays = _numbered(name, {str(key): value for key, value in content.items()})
    elif isinstance(content, list | tuple):
        arrays = list(content)
    strange = [a for a in arrays if not isinstance(a, Array)]
    if strange or not arrays:
        what = f"a {type(strange[0]).__name__}" if strange else "nothing"
        raise ValueError(
            f"{name} holds {what} where states are looked for. Save one array a text, or a list of layers."
        )
    if other := next((a.dtype for a in arrays if not _is_floating(a.dtype)), None):
        raise ValueError(f"{name} is {other}: hidden states are floating point numbers. Save them as float32.")
    if len({a.shape for a in arrays}) > 1 or (layered and len(arrays[0].shape) not in (2, 3)):
        shapes = ", ".join(sorted({shown(a.shape) for a in arrays}))
        raise ValueError(
            f"{name} is a list of arrays of {shapes}. The layers of one text all have the shape (tokens, features), or "
            "(1, tokens, features); texts are saved in arrays of their own names."
        )
    mask = beside[MASK].load() if isinstance(beside.get(MASK), Array) else None
    counts = [beside[key].shape[-1] for key in (*COUNTED, MASK) if isinstance(beside.get(key), Array)]
    return Held(name, arrays, layered, counts[0] if counts else None, mask)


def shown(shape: tuple[int, ...]) -> str:
    """A shape as people write it: 12 x 5 x 64."""
    return " x ".join(map(str, shape))


def _is_floating(dtype: str) -> bool:
    known = getattr(torch, dtype, None)
    return isinstance(known, torch.dtype) and known.is_floating_point


def _are_layers(values: list) -> bool:
    """Whether the arrays of a file are the layers of one text: all (tokens, features), or (1, tokens, features)."""
    if len(values) < 2 or not all(isinstance(value, Array) for value in values):
        return False
    shapes = {value.shape for value in values}
    first = values[0].shape
    return len(shapes) == 1 and (len(first) == 2 or (len(first) == 3 and first[0] == 1))


def _numbered(name: str, layers: Mapping[str, Any]) -> list:
    """Layers in the order of the one number in which their names differ."""
    words = {key: re.split(r"(\d+)", key) for key in layers}
    same = len({tuple(parts[::2]) for parts in words.values()}) == 1
    columns = zip(*(map(int, parts[1::2]) for parts in words.values()), strict=same)
    varying = [column for column in columns if same and len(set(column)) > 1]
    backwards = any(re.search(r"(^|\W|_)-\d", key) for key in layers)  # layer_-1 is the last one
    if len(varying) != 1 or len(set(varying[0])) < len(layers) or backwards:
        raise ValueError(
            f"{name}: their names do not give the order of the layers ({', '.join(sorted(layers)[:4])}, ...). "
            "Number them from the first to the last, or save them as one list."
        )
    return [layer for _, layer in sorted(zip(varying[0], layers.values(), strict=True), key=lambda pair: pair[0])]


def _natural(name: str) -> list:
    """Sorts text2 before text10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


# --- formats --------------------------------------------------------------------------------------------------------


def _understood(path: Path, read: Callable[[], Any]) -> Any:
    """What `read` gives; what it raises as one line."""
    try:
        return read()
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # damage raises anything from KeyError to zlib.error
        if type(error).__name__ == "UnpicklingError" or re.search(r"pickle|[Oo]bject", str(error)):
            raise ValueError(_pickle(path)) from error
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ValueError(
            f"{path.name} is damaged, cut short, or no {path.suffix} file ({reason}). Save it again."
        ) from error


def _pickle(path: Path) -> str:
    return (
        f"{path.name} holds a pickle of more than arrays, which could run code: it is not opened. Save tensors, or "
        "lists and dictionaries of tensors (best as .safetensors)."
    )


def _safetensors(path: Path) -> dict[str, Array]:
    return {name: _tensor(tensor) for name, tensor in load_file(path).items()}  # mapped, not read


def _torch(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a pickle's protocol: it is refused in the next line
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    return _wrapped(content)


def _wrapped(content: Any) -> Any:
    if isinstance(content, torch.Tensor):
        return _tensor(content)
    if isinstance(content, Mapping):
        return {name: _wrapped(value) for name, value in content.items()}
    return [_wrapped(value) for value in content] if isinstance(content, list | tuple) else content


def _tensor(tensor: torch.Tensor) -> Array:
    return Array(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.detach)


def _npy(path: Path) -> Array:
    array = np.load(path, mmap_mode="c", allow_pickle=False)
    return Array(array.shape, array.dtype.name, lambda: _from_numpy(array))


def _npz(path: Path) -> dict[str, Array]:
    with _archive(path) as file:
        return {name: Array(*_header(file, name), lambda name=name: _of_archive(path, name)) for name in file.files}


@contextmanager
def _archive(path: Path) -> Iterator:
    # Opened here: np.load leaves a damaged archive open.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        yield file


def _header(file, name: str) -> tuple[tuple[int, ...], str]:
    """Shape and type of an array in an archive, without its values."""
    member = name if name in file.zip.namelist() else f"{name}.npy"
    with file.zip.open(member) as stream:
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[np.lib.format.read_magic(stream)[0]](stream)
    return shape, dtype.name


def _of_archive(path: Path, name: str) -> torch.Tensor:
    def read() -> torch.Tensor:
        with _archive(path) as file:
            return _from_numpy(file[name])

    return _understood(path, read)


def _from_numpy(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=array.dtype.newbyteorder("=")))


_OPEN = {".safetensors": _safetensors, ".npz": _npz, ".npy": _npy, ".pt": _torch}
