"""The pocket suite: two tasks for lm-eval made of documents of the embedded corpus that pocket models never train on.

A pocket model is trained on the first 95 % of the corpus as a stream of tokens; the items come from the paragraphs that
begin after it. They are of the package that the corpus ends with, so they are also of another subject.
"""

import json
from collections.abc import Callable

import numpy as np

from ..base.files import cache_dir, sha256, write_atomically
from ..corpora import documentation
from ..models import pocket
from .benchmarks import Data

TRAINED_ON = 0.95  # share of the stream, as in `pocket`
ITEMS = 500
LEAST_WORDS, ENDING = 12, 6  # of a paragraph, and of its end that is asked for
CHOICES = 4


def held_out() -> list[str]:
    """The paragraphs after the part that pocket models train on, less those whose last words occur in that part too."""
    paragraphs = documentation.paragraphs()
    lengths = [len(e.ids) for e in pocket.tokenizer().backend_tokenizer.encode_batch(paragraphs)]
    starts = np.cumsum([0, *lengths[:-1]])
    first = int(np.searchsorted(starts, int(TRAINED_ON * sum(lengths))))
    trained_on = " ".join(p.strip() for p in paragraphs[:first])
    kept = (p for p in paragraphs[first:] if len(p.split()) >= LEAST_WORDS)
    return [p for p in kept if _ending(p) not in trained_on]


def _ending(paragraph: str) -> str:
    return " ".join(paragraph.split()[-ENDING:])


def cloze(paragraphs: list[str], rng: np.random.Generator) -> list[dict]:
    """The last word of a paragraph after all others: `context`, and `target` with the space before it.

    Only words of three or more small letters; the full stop after them is left out.
    """
    rows = []
    for paragraph in rng.permutation(paragraphs):
        *context, last = str(paragraph).split()
        word = last.rstrip(".!?:")
        if len(word) >= 3 and word.isascii() and word.isalpha() and word.islower():
            rows.append({"context": " ".join(context), "target": f" {word}"})
    return rows[:ITEMS]


def continuation(paragraphs: list[str], rng: np.random.Generator) -> list[dict]:
    """The last words of a paragraph among those of three others: `context`, `choices` and the `label` of the right one.

    All choices have the same number of words, and guessing gets a quarter.
    """
    rows, endings = [], list(dict.fromkeys(map(_ending, paragraphs)))
    for paragraph in rng.permutation(paragraphs)[:ITEMS]:
        right = _ending(str(paragraph))
        drawn = [endings[i] for i in rng.choice(len(endings), CHOICES, replace=False)]
        choices = [e for e in drawn if e != right][: CHOICES - 1]
        label = int(rng.integers(CHOICES))
        choices.insert(label, right)
        context = " ".join(str(paragraph).split()[:-ENDING])
        rows.append({"context": context, "choices": choices, "label": label})
    return rows


_ACC = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
TASKS: dict[str, tuple[Callable, dict]] = {
    "pocket_cloze": (cloze, {"output_type": "loglikelihood", "doc_to_target": "target"}),
    "pocket_continuation": (
        continuation,
        {"output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "label"},
    ),
}


def data(name: str) -> Data:
    """The items of a pocket task, written once for each state of the corpus, and its configuration for lm-eval."""
    make, config = TASKS[name]
    recipe = [TRAINED_ON, ITEMS, LEAST_WORDS, ENDING, CHOICES, pocket.VOCABULARY, *documentation.paragraphs()]
    folder = cache_dir() / "benchmarks" / f"{name}-{sha256(json.dumps(recipe))[:16]}"
    path = folder / "test.jsonl"
    if not path.exists():
        rows = make(held_out(), np.random.default_rng(0))
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
    where = {"data_files": {"test": str(path)}, "cache_dir": str(folder)}
    config = {"task": name, "dataset_path": "json", "dataset_kwargs": where, "test_split": "test", **config}
    config |= {"doc_to_text": "context", "num_fewshot": 0, "metric_list": _ACC, "metadata": {"version": 1.0}}
    return Data({name: config}, "held-out docstrings of installed packages", sha256(path), "")
