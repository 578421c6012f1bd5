"""Benchmarks packed as token ids, to be scored on a machine that has no lm-eval (`packed`).

lm-eval makes its requests; their token ids are kept, which of them are right, and what `Evaluation` says of the tasks.
"""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import torch

from ..base.assets import SOURCES
from ..base.extras import need
from . import EXTRA, SEED, harness, item_hash, right_choices, shots, tasks_of, untouched


def pack(
    model: torch.nn.Module,
    tokenizer,
    limits: Mapping[str, int | None],
    *,
    few_shot: int = 1,
    sources: Sequence[str] = SOURCES,
    seed: int = SEED,
) -> bytes:
    """The `.npz` file of all requests that lm-eval would make of the model, which is not run; `packed.read` reads it.

    limits
        For each task the `limit` of `evaluate.evaluate`.

    Raises
        FileNotFoundError, ValueError, ImportError: as `evaluate.evaluate`.
    """
    items, tasks = [], {}
    with harness.quiet(), untouched(model, tokenizer):
        recorder = harness.Recorder(model, tokenizer)
        for name, limit in limits.items():
            loaded = harness.load(name, shots(name, few_shot), sources)
            samples = harness.run(recorder, {name: loaded}, limit, seed)
            items += [_item(name, leaf, t, sample) for leaf, t in loaded.leaves.items() for sample in samples[leaf]]
            tasks |= tasks_of({name: loaded}, need("pandas", extra=EXTRA).DataFrame(items), limit)
    seen = [recorder.seen[number] for item in items for number in item.pop("numbers")]
    buffer = BytesIO()
    ids = np.concatenate([request.ids for request in seen]).astype(np.uint32)
    columns = {"lengths": [len(r.ids) for r in seen], "spans": [r.span for r in seen], "cut": [r.cut for r in seen]}
    np.savez_compressed(buffer, header=json.dumps({"tasks": tasks, "items": items}), ids=ids, **columns)
    return buffer.getvalue()


def _item(name: str, leaf: str, task, sample: dict) -> dict:
    numbers = [harness.number_of(answer) for answer in sample["filtered_resps"]]
    where = {"task": name, "subtask": leaf, "doc": sample["doc_id"], "hash": item_hash(sample)}
    return where | {"numbers": numbers, "requests": len(numbers), "right": right_choices(task, sample)}
