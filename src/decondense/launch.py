"""The runs of a file, in the processes that `accelerate launch` started.

    python -m decondense.launch FILE.toml --prepare                       # once: corpus, tokens, what it will cost
    accelerate launch --config_file FILE.yaml -m decondense.launch FILE.toml

All processes train one model together; `decondense train` makes many runs, each in one process. `runfile` says what a
file holds. `recipes/` has the paper's settings for Table 5, and configurations of `accelerate` for DDP and FSDP.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
import typer
from accelerate import PartialState

from .cli.command import said_plainly
from .runs import grid, loop, pretraining, runfile

_PATIENCE = timedelta(hours=12)  # the others wait while the first process tokenizes, or scores the benchmarks


def train(asked: runfile.Asked) -> None:
    """Make the runs that have no record, committed ones included, one after the other, all processes on each."""
    for config in asked.configs:
        with loop.processes().main_process_first():  # it copies a committed record to where the others look
            found = asked.kind.find(config, True)
        if found is None:
            pretraining.train(config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the plan, in the first process; then prepare the data, and unless that was all, train."""
    parser = argparse.ArgumentParser(prog="python -m decondense.launch", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--prepare", action="store_true", help="make the corpus and its tokens, and do not train")
    given = parser.parse_args(arguments)
    together = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
    asked = runfile.read(given.file, together.num_processes)
    with together.main_process_first():
        if together.is_main_process:
            plan = grid.plan(asked.kind, asked.configs, at_once=1)
            print(plan.rename({"hours, about": "GPU-hours, about"}).to_string(), flush=True)
        for config in asked.configs:
            asked.kind.prepare(config)
    if not given.prepare:
        train(asked)


if __name__ == "__main__":
    try:
        said_plainly(main)()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
