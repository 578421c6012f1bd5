"""The runs of the campaign's item `capacity`: a larger model, a thousand exposures, more steps."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ...paper import gpu
from ...runs import items
from ...runs.run import Run
from . import readings, training
from .readings import Case
from .training import LIVES, RANDOM

ITEM = "capacity"
KINDS = (LIVES, RANDOM)  # in order of worth


def cases(entry: Mapping) -> Iterator[Case]:
    """All runs of the item (`items.entry`): the biographies first; of each kind whole seeds first."""
    for kind in KINDS:
        told, shape = dict(entry[kind]), entry["shape"]
        bits, asked = told.pop("bits"), told.pop("training")
        for seed in entry["seeds"]:
            yield from readings.cases(kind, shape, bits, told, asked, entry["loss"], [seed])


def found() -> dict[str, dict[float, list[Run]]]:
    """Those that the repository keeps, or that were made here, by the kind of data and its bits for each parameter.

    Data of which only one arm has run so far are left out.
    """
    made: dict[str, dict[float, list[Run]]] = {}
    for case in cases(items.entry(ITEM)):
        if (record := training.find(**case.asked)) is not None:
            of_kind = made.setdefault(case.asked["data"]["kind"], {})
            of_kind.setdefault(case.bits, []).append(Run(case.label, case.seed, record))
    paired = lambda runs: len({run.label for run in runs}) > 1  # a table compares two arms
    made = {kind: {bits: runs for bits, runs in found.items() if paired(runs)} for kind, found in made.items()}
    return {kind: found for kind, found in made.items() if found}


def shown(made: Mapping[str, readings.Filled]):
    """A table per kind of data for a notebook, with the machine in its caption; or what makes the runs."""
    if not made:
        return gpu.nothing(ITEM)
    runs = [run for by_bits in made.values() for of_bits in by_bits.values() for run in of_bits]
    tables = {kind: readings.table(by_bits) for kind, by_bits in made.items()}
    return pd.concat(tables).T.style.format(precision=3).set_caption(_where(runs))


def _where(runs: Sequence[Run]) -> str:
    cards = {run.record.content["provenance"]["hardware"]["gpu"] or "a CPU" for run in runs}
    return f"On {' and '.join(sorted(cards))}, {len({run.seed for run in runs})} seeds."
