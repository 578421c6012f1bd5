"""The runs of a TOML file, in the processes that `accelerate launch` started.

    python -m decondense.launch FILE.toml --prepare                       # once: corpus, tokens, what it will cost
    accelerate launch --config_file FILE.yaml -m decondense.launch FILE.toml

`recipes/` has the paper's settings for Table 5, and configurations of `accelerate` for DDP and FSDP.
"""

import argparse
import inspect
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import PartialState

from . import pretraining
from .errors import unknown

_PATIENCE = timedelta(hours=12)  # the others wait while the first process tokenizes, or scores the benchmarks


class Asked(NamedTuple):
    """What a file asks for: the arguments of `pretraining.runs`, for any number of processes."""

    shared: dict
    changes: dict[str, dict]
    seeds: list[int]


def read(path: Path, processes: int) -> Asked:
    """The runs of a file, for this many processes.

    The file has the arguments of `pretraining.setup` as keys and tables, `seeds`, `processes`, and a table
    `[changes.LABEL]` for each condition. With fewer processes than it says, each accumulates more, so that a step sees
    as many tokens.

    Raises
        ValueError: an unknown or a missing key; a number of processes that does not divide what the file says; what
            `pretraining.setup` and `pretraining.configuration` raise.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    arguments = inspect.signature(pretraining.setup).parameters
    own = ("seeds", "changes", "processes")
    for name in table:
        if name not in (known := [*arguments, *own]):
            raise unknown(f"key in {path.name}", name, known)
    needed = [name for name, argument in arguments.items() if argument.default is argument.empty]
    for name in (*needed, "seeds", "changes"):
        if name not in table:
            raise ValueError(f"{path.name} has no {name!r}: add it.")
    changes, seeds = table.pop("changes"), table.pop("seeds")
    said = table.pop("processes", processes)
    if said % processes:
        raise ValueError(f"{path.name} is for {said} processes: {processes} do not divide it.")
    table["accumulation"] = table.get("accumulation", 1) * said // processes
    shared = pretraining.setup(**table) | {"processes": processes}
    for change in changes.values():
        pretraining.configuration(shared | change, 0)  # an unknown key is an error before any run
    return Asked(shared, changes, seeds)


def train(asked: Asked) -> None:
    """Make the runs that have no record, one after the other, all processes together on each."""
    for _, config in pretraining.jobs(*asked):
        pretraining.train(config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the plan, in the first process; then prepare the data, and unless that was all, train."""
    parser = argparse.ArgumentParser(prog="python -m decondense.launch", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--prepare", action="store_true", help="make the corpus and its tokens, and do not train")
    given = parser.parse_args(arguments)
    together = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
    asked = read(given.file, together.num_processes)
    with together.main_process_first():
        if together.is_main_process:
            print(pretraining.plan(*asked).rename({"hours, about": "GPU-hours, about"}).to_string(), flush=True)
        for _, config in pretraining.jobs(*asked):
            pretraining.prepare(config)
    if not given.prepare:
        train(asked)


if __name__ == "__main__":
    main()
