"""Whether committed results are what they were when they were made: by what each record says of itself, and by git.

No key signs them, and none is needed against most changes. Cosines have one mean, whether they are averaged or counted
in a histogram, whose density sums to 1; a summary follows from its arrays, a learning rate from its schedule; an answer
is right or wrong. And a record is never changed: its name holds the hash of what made it, git has one content of it.
What a record says of a model, and not of a measurement, may be corrected, if it keeps what it said before (`undone`).
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..condensation import Condensation
from ..records import Record
from ..runs.run import Run

EXACT = 1e-6  # what float32 keeps of a number
# Runs under autocast once binned their cosines in bfloat16: c is rounded by up to 2^-9, and then c + 1 by up to 2^-8.
IN_BFLOAT16, BINNED_EXACTLY_SINCE = 2**-9 + 2**-8, "2026-11-27T01:11"
RECORDS = ("--", "book/results/*-seed*")  # for git
CORRECTABLE = "results.model."  # the description of the model


def contradictions(record: Record) -> list[str]:
    """What in a record does not agree with the rest of it; empty where all does, and where nothing can be compared.

    Checked are records of measurements, of training runs and of cosines between forces. What is not: numbers that stand
    alone, such as times.
    """
    if record.arrays is None:
        return list(_of_forces(record.content["results"]))
    with np.load(record.arrays) as file:
        arrays = {name: file[name] for name in file.files}
    found = []
    if "curve" in record.content["results"]:
        found += _of_training(Run("", 0, record))
    elif "header" in arrays:
        found += _of_measurement(Condensation.load(record.arrays), record.content["results"])
    if "item_score" in arrays and not np.isin(arrays["item_score"], (0, 1)).all():
        found.append("an answer is neither right nor wrong")
    return found


def _of_forces(results: dict) -> Iterator[str]:
    for label, row in results.get("tables", {}).get("alike", {}).items():
        if abs(row[label] - 1) > EXACT:
            yield f"the force of {label} has not the direction of itself"


def _of_measurement(result: Condensation, summary: dict) -> Iterator[str]:
    yield from _of_cosines(result)
    for name in ("mu", "mu_off_diagonal", "rho", "tau"):
        if not np.allclose(getattr(result, name), summary[name], rtol=0, atol=EXACT, equal_nan=True):
            yield f"{name} of the summary is not that of the arrays"


def _of_training(run: Run) -> Iterator[str]:
    once = run.record.content["provenance"]["utc"] < BINNED_EXACTLY_SINCE
    for look in run.looks:
        yield from _of_cosines(look, IN_BFLOAT16 if once and look.dtype == "bfloat16" else 0.0)
    curve, config = run.curve, run.config
    if len(curve):
        highest = curve.learning_rate.max()
        if not config["learning_rate"] * (1 - 2 / len(curve)) <= highest <= config["learning_rate"] * (1 + EXACT):
            yield "the learning rate is not that of the schedule"


def _of_cosines(result: Condensation, rounding: float = 0.0) -> Iterator[str]:
    """Of a histogram over [-1, 1]: a cosine lies at most half a bin, and its `rounding`, from the middle of its own."""
    mu, density = result.mu, result.histogram
    if density is None:
        return
    bins = density.shape[1]
    share = density.astype(float) * 2 / bins
    if not np.allclose(share.sum(1), 1, rtol=0, atol=EXACT):
        yield "a density does not sum to 1"
    middle = (np.arange(bins) + 0.5) * 2 / bins - 1
    if (np.abs(share @ middle - mu) > 1 / bins + rounding + EXACT).any():
        yield "mu is not the mean of its histogram"


def rewritten(root: Path) -> list[str]:
    """Records under book/results of the clone `root` that git knows with two contents, or that differ from the last.

    Two contents that are one once their corrections are `undone` count as one.

    Raises
        subprocess.CalledProcessError: no clone.
        ValueError: a clone without its whole history.
    """
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise ValueError("This clone lacks its history: git fetch --unshallow.")
    contents: dict[str, set[str]] = {}
    for line in _git(root, "log", "--format=", "--raw", "--no-abbrev", "--no-renames", "-m", *RECORDS).splitlines():
        *_, content, _change, path = line.split()
        contents.setdefault(path, set()).add(content)
    several = {path: found - {"0" * 40} for path, found in contents.items()}
    twice = {path for path, found in several.items() if len(found) > 1 and not _corrected(root, path, found)}
    return sorted(twice | set(uncommitted(root)))


def undone(content: dict) -> dict:
    """A record as it was before its corrections, without its own hash.

    `corrected` of a record has what each value was (`was`: dotted path -> value, `None` where there was none) and why.
    Only the description of the model (`CORRECTABLE`) can be undone. The rest is left as it is.
    """
    content = {name: part for name, part in json.loads(json.dumps(content)).items() if name != "sha256"}
    was = content.get("corrected", {}).get("was", {})
    if not was or not all(path.startswith(CORRECTABLE) for path in was):
        return content
    model = content["results"]["model"]
    for path, value in was.items():
        model[path.removeprefix(CORRECTABLE)] = value
    content["results"]["model"] = {name: value for name, value in model.items() if _there(name, value, was)}
    return {name: part for name, part in content.items() if name != "corrected"}


def _there(name: str, value, was: dict) -> bool:
    return value is not None or f"{CORRECTABLE}{name}" not in was


def _corrected(root: Path, path: str, blobs: set[str]) -> bool:
    """Whether these contents of a record are one and the same, but for corrections."""
    if not path.endswith(".json"):
        return False
    read = (undone(json.loads(_git(root, "cat-file", "blob", blob))) for blob in blobs)
    return len({json.dumps(content, sort_keys=True) for content in read}) == 1


def uncommitted(root: Path) -> list[str]:
    """Records under book/results of the clone `root` that are not as its last commit has them; any clone can tell.

    Raises
        subprocess.CalledProcessError: no clone.
    """
    return _git(root, "diff", "--name-only", "HEAD", *RECORDS).splitlines()


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.strip()
