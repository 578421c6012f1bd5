"""What `python -m decondense.campaign` and `decondense campaign` do."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path

import torch
import transformers

from ..corpora import packed
from ..runs import items
from . import capacity, posttraining, speed, training
from .plan import TooShort

# Kinds of items that are no grids of runs, and what makes them.
ALONE = {"speed": speed, "capacity": capacity, "posttraining": posttraining}
LEAST = 20.0  # seconds: with less left no further item is begun


def listing() -> list[str]:
    """One line per item."""
    return [f"{name:12} {items.entry(name)['what']}" for name in items.names()]


def run(out: Path, minutes: float, only: str | None = None, tiny: bool = False, *, say: Callable[[str], None]) -> bool:
    """Make the items in order, each sized to the minutes that are left, or one of them; whether all asked are done.

    out
        Gets `records/`, of the form of all others, and the plan of each item. The same call goes on with what is there.
    tiny
        At a size that a CPU makes in a minute.

    Raises
        ValueError: no minutes; an unknown item; without `tiny` no CUDA device; what `training.make` raises.
        FileNotFoundError, ImportError: of the grids of runs that were chosen none has its token files; or the one item
            that was chosen lacks what it needs. Others that lack something are left out, with a line that names it.
    """
    if not minutes > 0:
        raise ValueError(f"--minutes must be above 0, got {minutes:g}.")
    chosen = items.names() if only is None else [only]
    for name in chosen:
        items.entry(name, tiny)
    if not tiny and not torch.cuda.is_available():
        raise ValueError(
            "The campaign needs a CUDA device, and there is none here. --tiny runs all of it small, on the CPU."
        )
    missing = _missing(chosen, tiny)
    if missing and all(name in missing or items.entry(name)["kind"] != "runs" for name in chosen):
        raise next(iter(missing.values()))
    for name, error in missing.items():
        say(f"{name} is left out: {error}")
    end = time.monotonic() + 60 * minutes
    transformers.logging.set_verbosity_error()  # what of its remarks matters is an error of ours
    transformers.logging.disable_progress_bar()
    with _records_in(out), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the Trainer prints each log
        made = [name for name in chosen if name not in missing]
        done = [_one(name, out, tiny, end, say, name == chosen[0]) for name in made]
    return all(done) and not missing


def _missing(chosen: Iterable[str], tiny: bool) -> dict[str, Exception]:
    """The items whose token files, weights or packages are not here, and why; one such is left out, not an error."""
    missing = {}
    for name in chosen:
        kind = items.entry(name)["kind"]
        try:
            if kind == "runs":
                packed.folder_of(items.runs(name, tiny).shared.corpus)
            elif kind == "posttraining":
                posttraining.check(items.entry(name, tiny))
        except (FileNotFoundError, ValueError, ImportError) as error:
            missing[name] = error
    return missing


def _one(name: str, out: Path, tiny: bool, end: float, say: Callable[[str], None], first: bool) -> bool:
    left = end - time.monotonic()
    if left < LEAST and not first:
        say(f"{name}: no time is left for it.")
        return False
    if (alone := ALONE.get(items.entry(name)["kind"])) is not None:
        return alone.make(items.entry(name, tiny), tiny, left, say)
    try:
        return training.make(items.runs(name, tiny), out, tiny, left, say)
    except TooShort as error:
        if first:
            raise
        say(str(error))  # an item further down, for which too little is left
        return False


@contextmanager
def _records_in(out: Path) -> Iterator[None]:
    out.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("DECONDENSE_RECORDS")
    os.environ["DECONDENSE_RECORDS"] = str(out / "records")
    try:
        yield
    finally:
        os.environ.pop("DECONDENSE_RECORDS")
        if before is not None:
            os.environ["DECONDENSE_RECORDS"] = before


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line, without a package that a machine with torch may lack. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m decondense.campaign", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    parser.add_argument("--minutes", type=float, help="all ends within these")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for the records and plans")
    parser.add_argument("--only", metavar="NAME", help="one item")
    parser.add_argument("--tiny", action="store_true", help="at a size that a CPU makes in a minute")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(listing()))
        return 0
    if given.minutes is None or given.out is None:
        parser.error("give --list, or --minutes and --out")
    run(given.out, given.minutes, given.only, given.tiny, say=partial(print, file=sys.stdout, flush=True))
    return 0
