"""A corpus as one stream of token ids, prepared once, memory-mapped, and cut into windows."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from .. import corpora
from ..base.files import cache_dir, sha256, write_atomically
from . import packed

HELD_OUT = 0.05  # share of the stream, at its end, that is never trained on
_ROWS = 10_000  # tokenized at a time


class Stream(NamedTuple):
    """The token ids of a corpus, in two parts that do not overlap."""

    train: np.ndarray
    held_out: np.ndarray


class Needs(NamedTuple):
    """How many tokens a run reads: in training, and held out."""

    train: int
    held_out: int


def stream(corpus: corpora.Corpus, tokenizer, wanted: Needs | None = None) -> Stream:
    """The rows of a corpus one after the other as token ids, no separator between them, and no special tokens.

    Made once for each corpus and tokenizer (and version of this module), kept in the cache and read from there through
    a memory map.

    wanted
        Of a `corpora.Streamed` corpus this many tokens are taken and no more: the first are held out, so that a longer
        run has the same ones, the others are for training. Its file grows part by part, and a preparation that was
        killed goes on after its last part. A corpus that ends before gives all it has. Others take no notice. Token
        files (`packed`) are read as they were packed.

    Raises
        ValueError: a streamed corpus, and nothing said of what is wanted; the file in the cache is damaged; token
            files of another tokenizer.
    """
    if isinstance(corpus.rows, packed.Packed):
        return Stream(*packed.tokens(corpus.rows, tokenizer))
    if isinstance(corpus.rows, corpora.Streamed):
        return _some(corpus, tokenizer, wanted)
    path = cache_dir() / "streams" / f"{corpus.name}-{_key(corpus, tokenizer)}.npy"
    if not path.exists():
        write_atomically(path, _npy(_encode(corpus, tokenizer)))
    try:
        ids = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}). Delete it, then give the same command again.") from error
    split = int((1 - HELD_OUT) * len(ids))
    return Stream(ids[:split], ids[split:])


def _some(corpus: corpora.Corpus, tokenizer, wanted: Needs | None) -> Stream:
    if wanted is None:
        raise ValueError(f"{corpus.name} is read row by row: say how many tokens are wanted.")
    tokens = sum(wanted)
    path = cache_dir() / "streams" / f"{corpus.name}-{_key(corpus, tokenizer)}-{tokens}.int32"
    if not path.exists():
        _grow(path, corpus, tokenizer, tokens)
    ids = np.memmap(path, dtype=np.int32, mode="r")
    return Stream(ids[wanted.held_out :], ids[: wanted.held_out])


def _grow(path: Path, corpus: corpora.Corpus, tokenizer, tokens: int) -> None:
    """Write the file part by part; beside it stand the rows and tokens that are safely in it.

    Nothing is cut off: what a killed process, or another one at this moment, wrote further on are the same tokens.
    """
    part, progress = path.with_suffix(".part"), path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    rows, have = json.loads(progress.read_text()) if progress.exists() else (0, 0)
    with part.open("r+b") as file, tqdm(total=tokens, initial=have, desc=f"tokenize {corpus.name}", unit="tok") as bar:
        if have * 4 > part.stat().st_size:  # the part was removed and the progress was not
            rows, have = 0, 0
        file.seek(have * 4)
        reader = islice(corpus.rows, rows, None)
        while have < tokens and (batch := list(islice(reader, _ROWS))):
            ids = _ids(batch, tokenizer)[: tokens - have]
            file.write(ids.tobytes())
            file.flush()
            os.fsync(file.fileno())
            rows, have = rows + len(batch), have + len(ids)
            write_atomically(progress, json.dumps([rows, have]))
            bar.update(len(ids))
    with suppress(FileNotFoundError):  # another process was faster
        os.replace(part, path)
    progress.unlink(missing_ok=True)


def _key(corpus: corpora.Corpus, tokenizer) -> str:
    """Of the file with the tokens: corpus, tokenizer, and this module, so that a change here reads no older file."""
    return sha256(corpus.sha256 + _identity(tokenizer) + sha256(Path(__file__)))[:16]


def _identity(tokenizer) -> str:
    """Everything that decides what a tokenizer does; a slow one shows only its vocabulary."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    return fast.to_str() if hasattr(fast, "to_str") else str(sorted(tokenizer.get_vocab().items()))


def _encode(corpus: corpora.Corpus, tokenizer) -> np.ndarray:
    rows = [row for row in corpus.rows if row]
    starts = tqdm(range(0, len(rows), _ROWS), desc=f"tokenize {corpus.name}", unit="part", leave=False)
    return np.concatenate([_ids(rows[start : start + _ROWS], tokenizer) for start in starts])


def _ids(rows: Iterable[str], tokenizer) -> np.ndarray:
    texts = [row for row in rows if row]
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"] if texts else []
    return np.concatenate([np.asarray(ids, dtype=np.int32) for ids in ([], *encoded)])


def _npy(ids: np.ndarray) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, ids)
    return buffer.getvalue()


class Windows(torch.utils.data.Dataset):
    """Windows of `length` tokens that do not overlap, as training examples; the rest at the end is left out.

    Raises
        ValueError: the stream is shorter than one window.
    """

    def __init__(self, ids: np.ndarray, length: int):
        if len(ids) < length or length < 2:
            raise ValueError(f"The stream has {len(ids)} tokens, a window {length}. Give a larger corpus.")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) // self.length

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        window = self.ids[number * self.length : (number + 1) * self.length]
        ids = torch.from_numpy(window.astype(np.int64))
        return {"input_ids": ids, "labels": ids.clone()}


def spread(ids: np.ndarray, count: int, length: int) -> list[list[int]]:
    """`count` windows of `length` tokens at equal distances over the stream.

    Raises
        ValueError: the stream has fewer windows than that.
    """
    if len(ids) < count * length:
        raise ValueError(f"The stream has {len(ids)} tokens, {count} windows of {length} are asked.")
    starts = np.linspace(0, len(ids) - length, count).astype(int)
    return [ids[start : start + length].tolist() for start in starts]
