"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): word problems of school with worked solutions, as rows and rewards.

The training problems are of its split `train`, those held out of `test`. It comes from the hub, or from the authors'
two files in the folder of DECONDENSE_DATA.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...base import hub
from .arithmetic import A_NUMBER, OFF_BY, Sum

NAME, CONFIGURATION = "openai/gsm8k", "main"
FOLDER = "gsm8k"  # of DECONDENSE_DATA, with train.jsonl and test.jsonl
MARK = "####"  # before the final number of a solution
ASKED = f"Solve the problem step by step. End with {MARK} and the number.\n\nProblem: "
_CALCULATION = re.compile(r"<<.*?>>")  # for a calculator, within the solutions
# A sign belongs to a number unless something is subtracted there; commas only where they part thousands.
_NUMBER = re.compile(r"(?:(?<![\w.,)])[-−+])?\$?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")


def number(text: str) -> float | None:
    """The number after the first `MARK`, or where there is none the last number of the text; `None` without any.

    Thousands may be parted by commas, and a sign or a dollar may stand before the digits.
    """
    found = _NUMBER.search(text.partition(MARK)[2])
    if found is None:
        *_, found = [None, *_NUMBER.finditer(text)]
    return None if found is None else float(found[0].replace(",", "").replace("$", "").replace("−", "-"))


def reward(completion: str, answer: int) -> float:
    """1 where `number` of the completion is right, `A_NUMBER` for another one, 0 without a number."""
    found = number(completion)
    if found is None:
        return 0.0
    return 1.0 if found == answer else A_NUMBER


def rewards(completions: Sequence[str], answer: Sequence[int], **_) -> list[float]:
    """`reward` of each, as GRPO's trainer of TRL asks for it; further columns of the data are not used."""
    return [reward(text, right) for text, right in zip(completions, answer, strict=True)]


def row(question: str, solution: str, off: int) -> Sum:
    """A problem: its solution with the final number, and the same one with a final number that is `off` from it.

    Raises
        ValueError: the solution does not end in `MARK` and a whole number.
    """
    steps, mark, end = solution.rpartition(MARK)
    answer = number(end)
    if not mark or answer is None or not answer.is_integer():
        raise ValueError(f"A solution of {NAME} does not end in {MARK} and a whole number: {solution[-40:]!r}.")
    steps = _CALCULATION.sub("", steps).strip()
    ending = lambda last: f" {steps}\n{MARK} {last}"
    answer = int(answer)
    return Sum(f"{ASKED}{question.strip()}\nSolution:", ending(answer), ending(abs(answer + off)), answer)


def drawn(split: str, n: int, seed: int, sources: Sequence[str]) -> list[Sum]:
    """`n` different problems of a split in random order; the same for the same seed.

    The rejected number is off by up to `OFF_BY`, 0 among the draws, as in `arithmetic.sums`.

    Raises
        ValueError: no problem, or more than the split has; what `row` raises.
        What `read` raises.
    """
    rows, _ = read(split, tuple(sources))
    if not 1 <= n <= len(rows):
        raise ValueError(f"The split {split} of {NAME} has {len(rows)} problems, {n} were asked for.")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(rows), n, replace=False)
    off = rng.integers(-OFF_BY, OFF_BY + 1, n)
    return [row(*rows[k], o) for k, o in zip(chosen.tolist(), off.tolist(), strict=True)]


def training(data: Mapping, seed: int, sources: Sequence[str]) -> list[Sum]:
    """The problems of a run."""
    return drawn("train", data["problems"], seed, sources)


def held_out(data: Mapping, seed: int, sources: Sequence[str]) -> list[Sum]:
    """Those that no run is trained on."""
    return drawn("test", data["held_out"], seed, sources)


def about(sources: Sequence[str]) -> dict:
    """What a record says of the data."""
    return {"data": {"name": NAME, "source": "; ".join(read(split, tuple(sources))[1] for split in ("train", "test"))}}


@lru_cache(maxsize=2)
def read(split: str, sources: tuple[str, ...]) -> tuple[list[tuple[str, str]], str]:
    """(question and solution of each row, where they are from), of the first of "local" and "hub" that has them.

    Raises
        FileNotFoundError: no source has them; says what was tried.
        ConnectionError: the same, and the hub could not be reached, or was busy.
        ImportError: `datasets` is missing, which reads data sets of the hub.
    """
    tried, lost = [], FileNotFoundError
    for source in (name for name in _READERS if name in sources):
        try:
            return _READERS[source](split)
        except (OSError, ValueError) as error:
            lost = ConnectionError if hub.may_pass(error) else lost
            tried.append(f"{source}: {str(error).partition(chr(10))[0]}")
    raise lost(
        f"Could not get the data set {NAME} ({split}). Tried {'; '.join(tried) or 'nothing'}. Allow the hub, set "
        f"DECONDENSE_DATA to a folder that has {FOLDER}/{split}.jsonl, or train on sums: `largest` in place of `name`."
    )


def _from_local(split: str) -> tuple[list[tuple[str, str]], str]:
    file = f"{FOLDER}/{split}.jsonl"
    path = Path(os.environ.get("DECONDENSE_DATA", ""), file)
    if not path.is_file():
        raise FileNotFoundError(f"DECONDENSE_DATA has no {file}")
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [(each["question"], each["answer"]) for each in rows], f"local file {file}"
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged, copy it again ({error})") from error


def _from_hub(split: str) -> tuple[list[tuple[str, str]], str]:
    table, at = hub.rows(NAME, CONFIGURATION, split)
    return list(zip(table["question"], table["answer"], strict=True)), f"hub {NAME} ({split}) at {at}"


_READERS = {"local": _from_local, "hub": _from_hub}
