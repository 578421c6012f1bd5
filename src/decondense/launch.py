"""The runs of a file, in the processes that `accelerate launch` started.

    python -m decondense.launch FILE.toml --prepare                       # once: corpus, tokens, what it will cost
    accelerate launch --config_file FILE.yaml -m decondense.launch FILE.toml

All processes train one model together; `decondense train` makes many runs, each in one process. `runs.runfile` has the
form of a file. `runs/recipes/` has the paper's settings for Tables 2 and 5 (this command is for Table 5), and
configurations of `accelerate` for DDP and FSDP.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState

from .base.machine import processes
from .base.settings import flag

if TYPE_CHECKING:
    from .runs import Configuration

_PATIENCE = timedelta(hours=12)  # the others wait while the first process tokenizes, or scores the benchmarks


def train(configs: Sequence["Configuration"]) -> None:
    """Make the runs that have no record, committed ones included, one after the other, all processes on each."""
    from .runs import store  # needs the extra `train`: asked for where an error is one line

    for config in configs:
        with processes().main_process_first():  # it copies a committed record to where the others look
            found = store.find(config, True)
        if found is None:
            store.train(config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the plan, in the first process; then prepare the data, and unless that was all, train."""
    parser = argparse.ArgumentParser(prog="python -m decondense.launch", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--prepare", action="store_true", help="prepare the corpus and its tokens, without training")
    given = parser.parse_args(arguments)
    from .runs import grid, runfile

    together = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
    configs = [config for _, config in runfile.read(given.file, together.num_processes)]
    with together.main_process_first():
        if together.is_main_process:
            plan = grid.planned(configs, at_once=1)
            print(plan.rename({"hours, about": "GPU-hours, about"}).to_string(), flush=True)
        for config in configs:
            config.prepare()
    if not given.prepare:
        train(configs)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
        if flag("DECONDENSE_DEBUG") or not str(error):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
