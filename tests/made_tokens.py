"""Token files of toy texts, for runs that take no second: fixtures of `conftest`."""

import json
from pathlib import Path

import numpy as np
import pytest
from toys import tiny

from decondense.corpora import packed
from decondense.evaluate import packed as benchmarks
from decondense.runs import items


@pytest.fixture
def tokens(tmp_path, monkeypatch, tiny_tokenizer):
    """`packed/pocket-small`, of words that the tiny tokenizer knows."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path / "data"))
    text = lambda k: " ".join(f"w{(7 * i * k + i) % 60}" for i in range(60))
    folder = tmp_path / "data" / "tokens" / "pocket-small"
    packed.write(folder, tiny_tokenizer, map(text, range(40)), map(text, range(40, 48)), {"licences": {}})
    return folder


def write_benchmarks(folder: Path) -> None:
    """Two items of each task, of two choices each, as `evaluate.packing` writes them."""
    tasks = items.entry("midtraining")["shared"]["tasks"]
    about = {"limit": 2, "full": False, "of_items": 9, "shots": 0}
    found = [
        {"task": task, "subtask": task, "doc": n, "hash": f"{task}{n}", "requests": 2, "right": [n]}
        for task in tasks
        for n in range(2)
    ]
    shots = {"arc_easy": 1, "arc_challenge": 1, "medmcqa": 1, "mmlu": 1}
    header = json.dumps({"tasks": {t: about | {"shots": shots.get(t, 0)} for t in tasks}, "items": found})
    n = 2 * len(found)
    columns = {"lengths": [6] * n, "spans": [2] * n, "cut": [False] * n}
    np.savez(folder / benchmarks.FILE, header=header, ids=np.arange(6 * n) % 60, **columns)


@pytest.fixture
def carried(tokens, tiny_tokenizer):
    """`packed/smollm2-135m-instruct`, with weights and benchmarks at toy size."""

    def beside(folder):
        write_benchmarks(folder)
        tiny("gpt2").save_pretrained(folder)

    text = lambda k: " ".join(f"w{(11 * i * k + i) % 60}" for i in range(60))
    folder = tokens.with_name("smollm2-135m-instruct")
    about = {"licences": {}, "model": {"source": "a mirror", "revision": None}}
    packed.write(folder, tiny_tokenizer, map(text, range(20)), map(text, range(40, 48)), about, beside=beside)
    return folder
