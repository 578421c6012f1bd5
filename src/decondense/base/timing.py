"""Time and memory that can be compared: cases take turns, ratios are taken within a round, peaks begin at each case."""

import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple


class Cost(NamedTuple):
    """What one call took. `bytes`: largest resident memory beyond that before the call; `None` where not Linux."""

    seconds: float
    bytes: int | None


class Ratio(NamedTuple):
    """Median over the rounds of the ratio within a round, with the smallest and the largest."""

    median: float
    low: float
    high: float


def cost(case: Callable[[], object]) -> Cost:
    """Time and peak memory of one call; what it returns is thrown away. A case on a GPU must wait for it.

    Linux keeps a high-water mark of the resident memory that a process may set back, so each call has one of its own
    and the program, its libraries and what it had loaded before are not in it. The kernel counts pages to about 1 MiB.
    """
    before = _reset_peak()
    start = time.perf_counter()
    case()
    seconds = time.perf_counter() - start
    return Cost(seconds, None if before is None else _status("VmHWM") - before)


def _reset_peak() -> int | None:
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or what an earlier call freed would be used again and not be counted
        Path("/proc/self/clear_refs").write_text("5")
    except (AttributeError, TypeError, OSError):  # neither Linux nor glibc
        return None
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def interleaved(
    cases: Mapping[str, Callable[[], object]],
    rounds: int,
    measure: Callable[[Callable[[], object]], tuple] = cost,
    warm: int = 1,
) -> list[dict[str, tuple]]:
    """Measure each case once a round: one dictionary a round, with the cost of each case under its name.

    The cases take turns within a round, so that a machine that is slow for a while is slow for all of them. `warm`
    rounds before the first are not counted.

    Raises
        ValueError: no case, or no round.
    """
    if not cases or rounds < 1:
        raise ValueError(f"Timing needs a case and a round, got {len(cases)} and {rounds}.")
    found = [{name: measure(case) for name, case in cases.items()} for _ in range(warm + rounds)]
    return found[warm:]


def seconds(rows: Sequence[Mapping[str, Sequence]]) -> "pandas.DataFrame":
    """Seconds of the rounds that `interleaved` gave, also as read from a record: one row a round, a column a case."""
    return _pandas().DataFrame([{name: cost[0] for name, cost in row.items()} for row in rows])


def mebibytes(rows: Sequence[Mapping[str, Sequence]]) -> "pandas.Series":
    """Largest peak of each case over the rounds, in MiB; NaN where it is not known."""
    peaks = [{name: cost[1] for name, cost in row.items()} for row in rows]
    frame = _pandas().DataFrame(peaks, dtype=float)
    return frame.max() / 2**20


def ratio(above: "pandas.Series", below: "pandas.Series") -> Ratio:
    """above / below, round by round: two columns of `seconds`."""
    found = above / below
    return Ratio(float(found.median()), float(found.min()), float(found.max()))


def _pandas():
    from .extras import need  # not above: an environment without this package runs this file too

    return need("pandas", extra="train")


# --- a process of its own -------------------------------------------------------------------------------------------


class Child:
    """A process that answers each line of JSON on its standard input with one on its standard output (`serve`).

        with Child([sys.executable, "-m", "package.module"]) as child:
            answer = child.ask(do="this")

    Raises (`ask`)
        RuntimeError: the process ended; the message has the end of what it wrote to standard error.
    """

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self.said = TemporaryFile()  # noqa: SIM115, closed with the process
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
            env=os.environ | environment,
        )  # fmt: skip

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_) -> None:
        self.process.communicate()  # end of input: the process ends by itself
        self.said.close()

    def ask(self, **question) -> dict:
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it ended: there is no answer either
            pass
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            raise RuntimeError(f"{self.process.args[0]} ended:\n{self.said.read().decode(errors='replace')[-2000:]}")
        return json.loads(line)


def serve(answer: Callable[..., dict]) -> None:
    """The other end of `Child`: answer each line of standard input until it ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=replies, flush=True)
