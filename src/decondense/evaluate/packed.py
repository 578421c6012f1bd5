"""Benchmarks that `packing.pack` wrote as token ids, scored by torch alone.

`score` gives the `Evaluation` that `evaluate.evaluate` gives of the same items, up to rounding.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..base.errors import unknown
from ..base.extras import need
from ..base.files import sha256
from ..corpora.packed import folder_of
from . import COLUMNS, EXTRA, Evaluation, logprob, modes_kept, shots

FILE = "benchmarks.npz"
AT_ONCE = {"cuda": 2**15}  # tokens of a batch, with what fills it up
ON_CPU = 2**11
PROBABILITY = "truthfulqa_mc2"  # its score is the probability of all true answers together


class Packed(NamedTuple):
    """What `packing.pack` wrote. An item is one or more requests in a row; a request is a context and a continuation.

    items
        A dict an item: task, subtask, doc, hash, requests (how many), right (the numbers of the right ones; `None`
        where there is nothing to choose from).
    ids, spans, cut
        Of each request the token ids, how many of them, the last, are the continuation, and whether the beginning was
        cut off.
    """

    tasks: dict[str, dict]
    items: list[dict]
    ids: list[np.ndarray]
    spans: list[int]
    cut: list[bool]


def of(name: str) -> Packed:
    """The benchmarks beside the token files `packed/NAME`.

    Raises
        FileNotFoundError, ValueError: as `folder_of` and `read`; they were packed without benchmarks.
    """
    path = folder_of(name) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no benchmarks: make it by decondense tokens --weights.")
    return read(path)


def read(path: Path) -> Packed:
    """Read a file with the bytes of `packing.pack`.

    Raises
        ValueError: the file is not one of ours, or is damaged.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            header, ends = json.loads(str(file["header"])), np.cumsum(file["lengths"])
            ids, rest = np.split(file["ids"], ends[:-1]), [file[name].tolist() for name in ("spans", "cut")]
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged zip raises anything from KeyError to zlib.error
        raise ValueError(f"{path} holds no packed benchmarks, or it is damaged: copy it again.") from error
    return Packed(header["tasks"], header["items"], ids, *rest)


def score(
    model: torch.nn.Module,
    packed: Packed,
    limits: Mapping[str, int | None],
    *,
    few_shot: int = 1,
    dtype: str | None = None,
) -> Evaluation:
    """The `Evaluation` of packed benchmarks by a causal LM; the mode of the model is left as it was.

    limits
        For each task the first documents, as in `evaluate.evaluate`; no more than were packed.
    few_shot, dtype
        As in `evaluate.evaluate`.

    Raises
        ValueError: a task that was not packed, or more of it than was, or with other shots.
    """
    check(packed, limits, few_shot)
    starts = np.cumsum([0, *(item["requests"] for item in packed.items)])
    asked = [
        (item, range(start, start + item["requests"]))
        for item, start in zip(packed.items, starts[:-1].tolist(), strict=True)
        if item["task"] in limits and (limits[item["task"]] is None or item["doc"] < limits[item["task"]])
    ]
    with modes_kept(model):
        answers = _answers(model.eval(), packed, [number for _, numbers in asked for number in numbers], dtype)
    rows = [_row(item, [answers[number] for number in numbers]) for item, numbers in asked]
    items = need("pandas", extra=EXTRA).DataFrame(rows, columns=COLUMNS)
    about = {name: _about(packed, name, items, asked, limit) for name, limit in limits.items()}
    order = items["task"].map({name: place for place, name in enumerate(limits)})
    return Evaluation(items.iloc[order.argsort(kind="stable")].reset_index(drop=True), about)


def check(packed: Packed, limits: Mapping[str, int | None], few_shot: int = 1) -> None:
    """Refuse what `score` refuses."""
    for name, limit in limits.items():
        _check(packed.tasks, name, limit, few_shot)


def _check(tasks: Mapping[str, dict], name: str, limit: int | None, few_shot: int) -> None:
    if name not in tasks:
        raise unknown("packed benchmark", name, tasks)
    most = tasks[name]["limit"]
    if not tasks[name]["full"] and (limit is None or limit > most):
        raise ValueError(f"Of {name} the first {most} documents are packed, {limit or 'all'} are asked for: pack more.")
    there, wanted = tasks[name]["shots"], shots(name, few_shot)
    if wanted not in (None, there):
        raise ValueError(f"{name} is packed with {there} examples in a prompt, {wanted} are asked for: pack it so.")


def _row(item: Mapping, answers: Sequence[tuple[float, bool]]) -> tuple:
    """As lm-eval's acc; NaN where the model gave a NaN."""
    likelihoods, right = np.array([likelihood for likelihood, _ in answers]), item["right"]
    of_right = logprob(likelihoods, right)
    if np.isnan(likelihoods).any():
        found = np.nan
    elif right is None:
        found = float(answers[0][1])
    elif item["task"] == PROBABILITY:
        found = float(np.exp(of_right))
    else:
        found = float(int(likelihoods.argmax()) in right)
    return item["task"], item["subtask"], item["doc"], item["hash"], found, of_right


def _about(packed: Packed, name: str, items, asked: Sequence[tuple], limit: int | None) -> dict:
    """Of a task, as in `Evaluation`: what was packed, for the items that were scored."""
    about, hashes = packed.tasks[name], items["hash"][items["task"] == name]
    numbers = [number for item, of_item in asked if item["task"] == name for number in of_item]
    counts = {"items": len(hashes), "full": len(hashes) == about["of_items"], "hash": sha256("".join(hashes))}
    counts |= {"tokens": sum(len(packed.ids[n]) for n in numbers), "truncated": sum(packed.cut[n] for n in numbers)}
    return about | counts | {"limit": limit}


@torch.inference_mode()
def _answers(
    model: torch.nn.Module, packed: Packed, numbers: Sequence[int], dtype: str | None
) -> dict[int, tuple[float, bool]]:
    """The answer to each request. What fills up a batch comes after a text, where causal attention never sees it."""
    device = next(model.parameters()).device
    how = {"dtype": dtype and getattr(torch, dtype), "enabled": dtype is not None}
    found = {}
    with torch.autocast(device.type, **how):
        for batch in _batches(packed, numbers, AT_ONCE.get(device.type, ON_CPU)):
            ids = [torch.from_numpy(packed.ids[number].astype(np.int64)) for number in batch]
            rows = torch.nn.utils.rnn.pad_sequence([row[:-1] for row in ids], batch_first=True).to(device)
            logits = model(rows, use_cache=False).logits
            for number, row, of_row in zip(batch, ids, logits, strict=True):
                span = packed.spans[number]
                found[number] = answer(of_row[len(row) - 1 - span : len(row) - 1], row[-span:])
    return found


def _batches(packed: Packed, numbers: Sequence[int], room: int) -> Iterator[list[int]]:
    """Requests of like length together, so many that a batch with what fills it up has at most `room` tokens."""
    batch = []
    for number in sorted(numbers, key=lambda number: len(packed.ids[number])):  # the next is the longest
        if batch and (len(batch) + 1) * len(packed.ids[number]) > room:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def answer(logits: torch.Tensor, tokens: torch.Tensor) -> tuple[float, bool]:
    """Log-likelihood of the tokens, and whether each is the likeliest, from the logits (tokens, vocabulary)."""
    wanted = tokens.to(logits.device)
    chosen = logits.log_softmax(-1, dtype=torch.float32).gather(1, wanted[:, None])
    return float(chosen.sum()), bool((logits.argmax(-1) == wanted).all())
