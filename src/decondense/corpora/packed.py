"""Token files: a corpus that is packed as token ids on one machine and trained on at another, which has no network.

A folder of them has `tokens.json`, which says what is in it, the tokenizer, `held-out.npy`, and the tokens to train on
in `train-00.npy`, `train-01.npy`, ..., each of at most `PIECE` bytes. The documents are in the order of their SHA-256,
so that each piece is a fair sample: a machine may have the first pieces only. As a corpus its name is `packed/NAME`, in
the folder `tokens/NAME` of DECONDENSE_DATA; `models.load_tokenizer` knows the tokenizer by the same name. Other files
may lie there, to be carried along (weights of the model, benchmarks): `tokens.json` has their hashes, and all of them
must be there.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..base.errors import unknown
from ..base.files import move_folder, sha256, unfinished_folder, write_atomically

PREFIX, HEADER, HELD_OUT = "packed/", "tokens.json", "held-out.npy"
PIECE = 40_000_000  # bytes of a file at most: one travels with a checkout of the repository where 64 MiB may
LARGEST = 60_000_000  # bytes of any file
APART = 1_000_000  # tokens that are held out at most
AT_ONCE = 2_000  # documents that are tokenized at a time
# What a tokenizer makes of it tells tokenizers with the same vocabulary, such as two orders of merges, from each other.
PROBE = "Hello  world,\n\tdef f(x_1): return x_1**2 + 0.25  # naïve 東京 12345 don't\n"


class Packed(NamedTuple):
    """A folder of token files, as the rows of a corpus."""

    folder: Path
    header: dict
    pieces: list[str]

    @property
    def identity(self) -> str:
        """Of all tokens that are there, and of what lies beside them."""
        entries = self.header["files"]
        hashes = [entries[name]["sha256"] for name in (*self.pieces, HELD_OUT)]
        return " ".join([*hashes, *self.header.get("beside", {}).values()])


def fingerprint(tokenizer) -> str:
    """SHA-256 of what a tokenizer does: its vocabulary, and the token ids of a probe; the same in every version."""
    probe = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    return sha256(json.dumps([sorted(tokenizer.get_vocab().items()), list(probe)]))


# --- writing --------------------------------------------------------------------------------------------------------


def write(
    folder: Path,
    tokenizer,
    train: Iterable[str],
    held_out: Iterable[str],
    about: Mapping,
    pieces: int | None = None,
    piece_bytes: int = PIECE,
    beside: Callable[[Path], None] | None = None,
) -> dict:
    """Pack documents into token files; the folder appears whole or not at all. Returns what `tokens.json` holds.

    Each document is followed by the tokenizer's end of text, if it has one. Documents that are the same are packed
    once, and one of `held_out` is not trained on. Of what is held out `APART` tokens are kept.

    about
        What else the header says: where the texts come from, and their licences.
    pieces
        Pack no more than so many files to train on; `None`: all there is.
    beside
        Writes further files into the folder, which is given to it.

    Raises
        FileExistsError: there is such a folder.
        ValueError: no documents; a further file of more than `LARGEST` bytes.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: remove it, or pack into another folder.")
    kept_out = {sha256(text): text for text in held_out}
    documents = {digest: text for text in train if (digest := sha256(text)) not in kept_out}
    if not (kept_out and documents):
        raise ValueError("Token files need documents to train on and documents that are held out.")
    with unfinished_folder(folder.parent) as unfinished:
        room = _room(tokenizer, piece_bytes)
        files = {HELD_OUT: _save(unfinished / HELD_OUT, next(_cut(_ordered(kept_out), tokenizer, APART)))}
        for number, ids in enumerate(islice(_cut(_ordered(documents), tokenizer, room), pieces)):
            name = f"train-{number:02d}.npy"
            files[name] = _save(unfinished / name, ids)
        tokenizer.save_pretrained(unfinished)
        header = {"tokenizer": fingerprint(tokenizer), "vocabulary": len(tokenizer), "files": files}
        header |= {"documents": len(documents), "documents_held_out": len(kept_out), **about}
        if beside:
            header["beside"] = _written_by(beside, unfinished)
        write_atomically(unfinished / HEADER, json.dumps(header, indent=1, ensure_ascii=False) + "\n")
        move_folder(unfinished, folder)
    return header


def _written_by(write_more: Callable[[Path], None], folder: Path) -> dict[str, str]:
    """The hashes of the files that it writes; what was there may not change."""
    before = {path.name: sha256(path) for path in folder.iterdir()}
    write_more(folder)
    after = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    for name in after:
        if (size := (folder / name).stat().st_size) > LARGEST:
            raise ValueError(f"{name} has {size:,} bytes, and a file that is carried at most {LARGEST:,}.")
    return {name: digest for name, digest in after.items() if before.get(name) != digest}


def _ordered(documents: Mapping[str, str]) -> list[str]:
    return [documents[digest] for digest in sorted(documents)]


def _dtype(tokenizer) -> type:
    return np.uint16 if len(tokenizer) <= 2**16 else np.uint32


def _room(tokenizer, piece_bytes: int) -> int:
    """How many tokens fit into a piece, beside the header of the file."""
    return (piece_bytes - 128) // np.dtype(_dtype(tokenizer)).itemsize


def _ids(documents: Sequence[str], tokenizer) -> np.ndarray:
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encoded = tokenizer(list(documents), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return np.concatenate([np.asarray([*ids, *end], dtype=_dtype(tokenizer)) for ids in encoded])


def _cut(documents: Sequence[str], tokenizer, room: int) -> Iterator[np.ndarray]:
    """The tokens of all documents in arrays of `room`, the last one shorter."""
    left = np.empty(0, dtype=_dtype(tokenizer))
    for start in range(0, len(documents), AT_ONCE):
        left = np.concatenate([left, _ids(documents[start : start + AT_ONCE], tokenizer)])
        while len(left) >= room:
            yield left[:room]
            left = left[room:]
    if len(left):
        yield left


def _save(path: Path, ids: np.ndarray) -> dict:
    buffer = BytesIO()
    np.save(buffer, ids)
    write_atomically(path, buffer.getvalue())
    return {"tokens": len(ids), "sha256": sha256(buffer.getvalue())}


# --- reading --------------------------------------------------------------------------------------------------------


def is_packed(name: str) -> bool:
    return name.startswith(PREFIX)


def folder_of(name: str) -> Path:
    """The folder of the corpus `packed/NAME`.

    Raises
        FileNotFoundError: DECONDENSE_DATA is not set.
        ValueError: there is no such folder of token files; names the nearest.
    """
    place = os.environ.get("DECONDENSE_DATA")
    if not place:
        raise FileNotFoundError(f"{name} is in a folder of yours: set DECONDENSE_DATA to the one that has tokens/.")
    tokens = Path(place) / "tokens"
    folder = tokens / name.removeprefix(PREFIX)
    if not (folder / HEADER).is_file():
        known = [PREFIX + path.parent.name for path in tokens.glob(f"*/{HEADER}")]
        if known:
            raise unknown("token files", name, known)
        raise FileNotFoundError(f"{tokens} has no token files. Make some: decondense tokens --out {tokens}")
    return folder


def place(name: str) -> str:
    """The folder of `packed/NAME` as a string, and any other name as it is."""
    return str(folder_of(name)) if is_packed(name) else name


def read(name: str) -> Packed:
    """The token files of the corpus `packed/NAME`, as many pieces from the first on as are there; each is checked.

    Raises
        What `folder_of` raises.
        FileNotFoundError: no piece, or none that is held out.
        ValueError: a file is not the one that was packed, or `tokens.json` is damaged.
    """
    folder = folder_of(name)
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / HEADER} is damaged: copy it again.") from error
    pieces = [file for file in sorted(header["files"]) if file != HELD_OUT and (folder / file).is_file()]
    if not pieces or not (folder / HELD_OUT).is_file():
        raise FileNotFoundError(f"{folder} lacks {HELD_OUT if pieces else 'train-00.npy'}: copy it there.")
    beside = header.get("beside", {})
    for file, digest in beside.items() | {(file, header["files"][file]["sha256"]) for file in (*pieces, HELD_OUT)}:
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} lacks {file}: copy it there.")
        if sha256(folder / file) != digest:
            raise ValueError(f"{folder / file} is not the file that was packed: copy it again.")
    return Packed(folder, header, pieces)


def tokens(packed: Packed, tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """(to train on, held out) as arrays of token ids.

    Raises
        ValueError: the files were packed with another tokenizer.
    """
    ours, theirs = fingerprint(tokenizer), packed.header["tokenizer"]
    if ours != theirs:
        raise ValueError(
            f"{packed.folder} was packed with another tokenizer (hash {theirs[:12]}, this one has {ours[:12]}). "
            f"Train with tokenizer = {PREFIX + packed.folder.name!r}, or pack the texts with yours."
        )
    load = lambda file: np.load(packed.folder / file, mmap_mode="r")
    return np.concatenate([load(file) for file in packed.pieces]), load(HELD_OUT)
