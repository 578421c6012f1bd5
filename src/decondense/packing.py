"""A corpus as one stream of token ids, prepared once, memory-mapped, and cut into windows."""

from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from . import corpora
from .files import cache_dir, sha256, write_atomically

HELD_OUT = 0.05  # share of the stream, at its end, that is never trained on
_ROWS = 10_000  # tokenized at a time


class Stream(NamedTuple):
    """The token ids of a corpus, in two parts that do not overlap."""

    train: np.ndarray
    held_out: np.ndarray


def stream(corpus: corpora.Corpus, tokenizer) -> Stream:
    """The rows of a corpus one after the other as token ids, no separator between them, and no special tokens.

    Made once for each corpus and tokenizer, kept in the cache and read from there through a memory map.
    """
    path = cache_dir() / "streams" / f"{corpus.name}-{sha256(corpus.sha256 + _identity(tokenizer))[:16]}.npy"
    if not path.exists():
        write_atomically(path, _npy(_encode(corpus, tokenizer)))
    ids = np.load(path, mmap_mode="r")
    split = int((1 - HELD_OUT) * len(ids))
    return Stream(ids[:split], ids[split:])


def _identity(tokenizer) -> str:
    """Everything that decides what a tokenizer does; of a slow one only its vocabulary can be had."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    return fast.to_str() if hasattr(fast, "to_str") else str(sorted(tokenizer.get_vocab().items()))


def _encode(corpus: corpora.Corpus, tokenizer) -> np.ndarray:
    pieces = []
    rows = [row for row in corpus.rows if row]
    for start in tqdm(range(0, len(rows), _ROWS), desc=f"tokenize {corpus.name}", unit="part", leave=False):
        encoded = tokenizer(rows[start : start + _ROWS], add_special_tokens=False, return_attention_mask=False)
        pieces.append(np.concatenate([np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"] if ids]))
    return np.concatenate(pieces)


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
