"""`nox -s bench`: measure time and memory, and keep the records under book/results for the page `performance`.

python -m decondense.bench --peer PYTHON        # of an environment that has the peer package
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from .. import records
from ..base import timing
from ..base.files import repository_root
from . import RECORDS, family, losses, measurement
from .measurement import SHAPES

TOKENS = (256, 512, 1024, 2048, 4096, 8192)
FEATURES = (256, 512, 1024, 2048)
TARGET = (2048, 1024)  # tokens and features at which the loss over all pairs is held against its matrix products
TEXTS = {1: 7, 10: 3, 100: 2}  # texts -> rounds
LAYERS = (12, 24)
SHORT = (16, 32, 64, 128)
STEP_TOKENS = 1024
FAMILY = (1024, 768)  # tokens and features of the losses beside one another


def everything(peer: str, threads: int) -> list[records.Record]:
    """Every measurement of the page, the short ones first; one that has a record is not made again."""
    how = {"threads": threads}
    made = [start(threads=threads)]
    made += [measurement.short_texts(*SHAPES["gpt2"], tokens, 32, rounds=3, **how) for tokens in SHORT]
    shapes = dict.fromkeys([*((n, TARGET[1]) for n in TOKENS), *((TARGET[0], d) for d in FEATURES)])
    made += [losses.by_form(n, d, rounds=5, **how) for n, d in shapes]
    made += [losses.by_form(*TARGET, rounds=7, threads=1)] if threads > 1 else []
    for several in sorted({1, threads}):
        made += [losses.beside_other_work(*TARGET, busy, threads=several) for busy in sorted({0, 1, threads})]
    made += [losses.in_a_step({}, STEP_TOKENS, rounds=5, **how), family.by_loss(*FAMILY, rounds=7, **how)]
    given = partial(measurement.given, peer=peer, **how)
    layers, features = SHAPES["gpt2-xl"]
    made += [given(layers, features, texts, rounds=rounds) for texts, rounds in TEXTS.items()]
    made += [given(fewer, features, 10, rounds=3) for fewer in LAYERS]
    real = partial(measurement.real, peer=peer, **how)
    made += [real(*SHAPES["gpt2"], texts, rounds=rounds) for texts, rounds in ((1, 7), (10, 3))]
    return made + [real(*SHAPES[name], 1, rounds=rounds) for name, rounds in (("gpt2-medium", 3), ("gpt2-xl", 1))]


def start(*, rounds: int = 5, threads: int = 1, seed: int = 0) -> records.Record:
    """Record what a new process takes to say nothing, to import the package, to show the help; and the corpus, once.

    The corpus is the embedded one, extracted on all cores into an empty cache.
    """
    config = {"rounds": rounds, "threads": threads, "seed": seed}

    def compute() -> tuple[dict, None]:
        run = lambda *arguments: partial(_quietly, [sys.executable, *arguments])
        cases = {
            "bare Python": run("-c", "pass"),
            "import decondense": run("-c", "import decondense"),
            "decondense --help": run("-m", "decondense", "--help"),
        }
        rows = timing.interleaved(cases, rounds)
        return {"rows": rows, "corpus": timing.interleaved({"corpus": _corpus}, 1, warm=0)}, None

    return records.run("bench-start", config, compute, "decondense.bench.__main__")  # which is `__main__` here


def _corpus() -> None:
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {"DECONDENSE_CACHE": empty}
        _quietly(
            [sys.executable, "-c", "from decondense.corpora.documentation import paragraphs; paragraphs()"], environment
        )


def _quietly(command: list[str], environment: dict | None = None) -> None:
    subprocess.run(command, env=environment, check=True, capture_output=True)


def keep(made: list[records.Record], committed: Path) -> None:
    """Put the records into the committed results, in place of all earlier ones of a benchmark."""
    committed.mkdir(parents=True, exist_ok=True)
    for old in committed.glob(RECORDS):
        old.unlink()
    for record in made:
        shutil.copyfile(record.path, committed / record.path.name)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m decondense.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help=f"Python of an environment with {measurement.PEER}")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every case; all cores by default")
    given = parser.parse_args(arguments)
    keep(everything(given.peer, given.threads), repository_root() / "book" / "results")


if __name__ == "__main__":
    main()
