"""Texts for models of a few hundred thousand parameters: a small vocabulary, so that the embedding is not all of it."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

import torch
from jaxtyping import Int
from torch import Tensor

from ... import corpora, models
from ...corpora import streams

BYTES = 256


class Texts:
    """The windows of a corpus: `train` and `held_out`, (windows, length); `corpus` says where they come from."""

    def __init__(self, data: Mapping, sources: Sequence[str], held_out: int):
        self.corpus = corpora.load(data["corpus"], tuple(sources))
        tokenizer = cut(models.load_tokenizer(data["tokenizer"], tuple(sources)), data["vocabulary"])
        wanted = streams.Needs(data.get("tokens", 0), held_out * data["length"])
        found = streams.stream(self.corpus, tokenizer, wanted)
        self.train = streams.Windows(found.train, data["length"])
        self.held_out = torch.tensor(streams.spread(found.held_out, held_out, data["length"]))

    def batch(self, numbers: Int[Tensor, "batch"]) -> Int[Tensor, "batch length"]:
        """The training windows of these numbers."""
        return torch.stack([self.train[number]["input_ids"] for number in numbers.tolist()])


@cache
def _texts(data: str, sources: tuple[str, ...], held_out: int) -> Texts:
    return Texts(json.loads(data), sources, held_out)


def texts(data: Mapping, sources: Sequence[str], held_out: int) -> Texts:
    """The windows that all runs on this data share; made once.

    data
        `corpus` and `tokenizer` by name, `vocabulary` (how many entries of the tokenizer are kept) and `length` of a
        window; of a corpus that is read row by row `tokens`, how many are for training.
    held_out
        How many windows, at equal distances over the held-out part, are for validation.

    Raises
        ValueError: as `cut`, `streams.stream`, `streams.Windows`, `streams.spread`; what `corpora.load` raises.
    """
    return _texts(json.dumps(data, sort_keys=True), tuple(sources), held_out)


def cut(tokenizer, vocabulary: int):
    """A byte-level BPE tokenizer with the first `vocabulary` of its entries: what training it for fewer would give.

    Each merge joins the two parts that are most frequent after the merges before it, so a smaller vocabulary is the
    beginning of a larger one. Special tokens are left out if they come later.

    Raises
        ValueError: no byte-level BPE, fewer entries than bytes, or more than it has.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    told = json.loads(tokenizer.backend_tokenizer.to_str())
    entries = told["model"].get("vocab", {})
    if told["model"]["type"] != "BPE" or not BYTES < vocabulary <= len(entries):
        raise ValueError(
            f"A vocabulary of {vocabulary} cannot be cut from this tokenizer: give a byte-level BPE one, and "
            f"{BYTES + 1} to {len(entries)} entries."
        )
    kept = {entry: number for entry, number in entries.items() if number < vocabulary}
    told["model"]["vocab"] = kept
    told["model"]["merges"] = [pair for pair in told["model"]["merges"] if "".join(_parts(pair)) in kept]
    told["added_tokens"] = [token for token in told["added_tokens"] if token["id"] < vocabulary]
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(told)))


def _parts(pair: str | list[str]) -> list[str]:
    return pair.split(" ") if isinstance(pair, str) else pair
