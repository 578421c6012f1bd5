"""Tiny data sets under their ids: configurations, splits, columns and kinds of file as on the hub, made-up rows."""

import gzip
import io
import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pyarrow
import pyarrow.parquet
from standin.server import Repository

from decondense.chapters.static.rows import categories

# The last are those whose neighbours the page `static` looks at.
WORDS = [
    "the", "mean", "cosine", "of", "all", "pairs", "in", "a", "text", "is", "taken", "over", "every", "layer", "before",
    "it", "falls", "with", "depth", "and", "width", *categories().word,
]  # fmt: skip
LINES, ROWS, ITEMS = 1200, 700, 12  # of wikitext, of other texts, of benchmarks
# Of mmlu: one configuration each.
_TASKS = Path(find_spec("lm_eval").origin).parent / "tasks" / "mmlu" / "default"
SUBJECTS = sorted(path.stem.removeprefix("mmlu_") for path in _TASKS.glob("mmlu_*.yaml"))

Row = Callable[[int], dict]


def words(number: int, count: int = 40) -> str:
    """A line of text, another for each number; the first of `WORDS` are the most frequent."""
    return " ".join(WORDS[(number * 7 + i * i + i) % len(WORDS) * (1 + number % 3) // 3] for i in range(count))


def line(number: int) -> dict:
    return {"text": f" {words(number)} \n" if number % 5 else ""}


def review(number: int) -> dict:
    return {"text": words(number), "label": number % 2}


def last_word(number: int) -> dict:
    return {"text": words(number, 20)}


def abstract(number: int) -> dict:
    context = {"contexts": [words(number)], "labels": ["AIM"], "meshes": ["Humans"]}
    answer = {"long_answer": words(number + 1), "final_decision": "yes"}
    return {"pubid": number, "question": words(number, 8), "context": context, **answer}


def passage(number: int) -> dict:
    answers = {"text": ["mean"], "answer_start": [4]}
    return {
        "id": str(number), "title": "T", "context": words(number), "question": words(number, 6), "answers": answers,
    }  # fmt: skip


def page(number: int) -> dict:
    return {"text": words(number, 200), "timestamp": "2019-04-25T12:57:54Z", "url": f"https://example.org/{number}"}


def premise(number: int) -> dict:
    about = {"hypothesis": words(number, 5), "label": number % 3, "reason": ""}
    return {"uid": str(number), "premise": words(number), **about}


def lettered(number: int, question: str) -> dict:
    choices = {"text": [words(number + i, 2) for i in range(4)], "label": list("ABCD")}
    return {"id": str(number), question: words(number, 9), "choices": choices, "answerKey": "ABCD"[number % 4]}


def goal(number: int) -> dict:
    return {"goal": words(number, 6), "sol1": words(number, 4), "sol2": words(number + 1, 4), "label": number % 2}


def truth(number: int) -> dict:
    of = lambda labels: {"choices": [words(number + i, 4) for i in range(len(labels))], "labels": labels}
    return {"question": words(number, 6), "mc1_targets": of([1, 0, 0]), "mc2_targets": of([1, 1, 0])}


def blank(number: int) -> dict:
    options = {"option1": "mean", "option2": "text", "answer": str(1 + number % 2)}
    return {"sentence": f"{words(number, 5)} _ {words(number, 3)}", **options}


def medical(number: int) -> dict:
    options = {f"op{letter}": words(number + i, 2) for i, letter in enumerate("abcd")}
    about = {"choice_type": "single", "exp": "", "subject_name": "Anatomy", "topic_name": ""}
    return {"id": str(number), "question": words(number, 7), **options, "cop": number % 4, **about}


def exam(number: int, subject: str) -> dict:
    choices = [words(number + i, 2) for i in range(4)]
    return {"question": words(number, 7), "subject": subject, "choices": choices, "answer": number % 4}


def school(number: int) -> dict:
    """A problem of school: of every second the solution begins with a number, and every fifth number is a large one."""
    left, right = 3 + number % 17, 1000 * (number % 5 == 0) + number % 11
    steps = f"{words(number, 3)} " * (number % 2) + f"{left} and {right} are <<{left}+{right}={left + right}>>"
    answer = f"{steps}{left + right} in all.\n#### {left + right:,}"
    return {"question": f"{words(number, 8)} {left} and {right}?", "answer": answer}


def split_into(names: str, row: Row, rows: int = ITEMS) -> dict[str, tuple[Row, int]]:
    return dict.fromkeys(names.split(), (row, rows))


THREE = "train validation test"
ARC = split_into(THREE, partial(lettered, question="question"))
# id -> configuration -> split -> how a row is made, and how many
SETS = {
    "Salesforce/wikitext": {
        name: split_into(THREE, line, LINES)
        for name in ("wikitext-103-raw-v1", "wikitext-103-v1", "wikitext-2-raw-v1", "wikitext-2-v1")
    },
    "qiaojin/PubMedQA": {f"pqa_{kind}": split_into("train", abstract, ROWS) for kind in ("labeled", "unlabeled")},
    "stanfordnlp/imdb": {"plain_text": split_into("train test unsupervised", review, ROWS)},
    "rajpurkar/squad": {"plain_text": split_into("train validation", passage, ROWS)},
    "codelion/fineweb-edu-1B": {"default": split_into("train", page, ROWS)},
    "allenai/c4": {"en": split_into("train validation", page, ROWS), "de": split_into("train validation", page, 2)},
    "openai/gsm8k": {name: split_into("train test", school, ROWS) for name in ("main", "socratic")},
    "facebook/anli": {
        "plain_text": split_into(" ".join(f"{s}_r{r}" for r in (1, 2, 3) for s in ("train", "dev", "test")), premise)
    },
    "EleutherAI/lambada_openai": {name: split_into("test", last_word) for name in ("default", "de")},
    "allenai/openbookqa": {
        name: split_into(THREE, partial(lettered, question="question_stem")) for name in ("main", "additional")
    },
    "baber/piqa": {"default": split_into(THREE, goal)},
    "truthfulqa/truthful_qa": {
        "generation": split_into("validation", goal), "multiple_choice": split_into("validation", truth)
    },
    "allenai/winogrande": {f"winogrande_{size}": split_into(THREE, blank) for size in ("xs", "xl")},
    "allenai/ai2_arc": {"ARC-Challenge": ARC, "ARC-Easy": ARC},
    "openlifescienceai/medmcqa": {"default": split_into(THREE, medical)},
    "cais/mmlu": {
        name: split_into("test validation dev", partial(exam, subject=name)) for name in ("all", *SUBJECTS)
    },
}  # fmt: skip
AS_LINES = {"allenai/c4"}  # compressed lines of JSON; all others are parquet
IN_PIECES = {("Salesforce/wikitext", "train"), ("allenai/c4", "train")}  # several files
PINNED = {"allenai/c4": "1588ec454efa1a09f29cd18ddd04fe05fc8653a2"}


def files(name: str) -> dict[str, bytes]:
    """A data set's repository: one file a split, and the card that says which is which."""
    made, configurations = {}, []
    for configuration, splits in SETS[name].items():
        paths = {}
        for position, (split, (row, count)) in enumerate(splits.items()):
            rows = [row(number) for number in range(position * count, (position + 1) * count)]  # no split like another
            pieces = 2 if (name, split) in IN_PIECES else 1
            for piece in range(pieces):
                made[_path(name, configuration, split, f"{piece:05d}-of-{pieces:05d}")] = _written(
                    name, rows[piece::pieces]
                )
            paths[split] = _path(name, configuration, split, "*")
        where = "".join(f"  - split: {split}\n    path: {path}\n" for split, path in paths.items())
        configurations.append(f"- config_name: {configuration}\n  data_files:\n{where}")
    return {**made, "README.md": f"---\nconfigs:\n{''.join(configurations)}---\n# Rows\n".encode()}


def _path(name: str, configuration: str, split: str, piece: str) -> str:
    if name in AS_LINES:
        return f"{configuration}/c4-{split}.{piece}.json.gz"
    return f"{configuration}/{split}-{piece}.parquet"


def _written(name: str, rows: list[dict]) -> bytes:
    return (_lines if name in AS_LINES else _parquet)(rows)


def _parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def _lines(rows: list[dict]) -> bytes:
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)


def repositories() -> dict[tuple[str, str], Repository]:
    return {
        ("datasets", name): Repository({at: partial(files, name) for at in ("main", *filter(None, [PINNED.get(name)]))})
        for name in SETS
    }
