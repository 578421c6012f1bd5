"""The runs of the campaign's item `posttraining`: more steps, larger sums and groups, longer texts."""

from collections.abc import Iterator, Mapping, Sequence

from ...paper import designs, gpu
from ...runs import items, tables
from ...runs.run import Run
from . import readings, training
from .readings import Case

ITEM = "posttraining"


def cases(entry: Mapping) -> Iterator[Case]:
    """All runs of the item (`items.entry`): of the methods that are listed together, whole seeds first."""
    start, data, train, looked, loss = (entry[name] for name in ("start", "data", "training", "looked", "loss"))
    for together in entry["order"]:
        methods = {method: {"learning_rate": entry["rates"][method]} for method in together}
        for seed in entry["seeds"]:
            yield from readings.cases(start, data, train, methods, looked, loss, [seed])


def found() -> dict[str, list[Run]]:
    """Those that the repository keeps, or that were made here, by method; one of which a single arm ran is left out."""
    made: dict[str, list[Run]] = {}
    for case in cases(items.entry(ITEM)):
        if (record := training.find(**case.asked)) is not None:
            made.setdefault(case.method, []).append(Run(case.label, case.seed, record))
    return {method: runs for method, runs in made.items() if len(tables.first(runs)) > 1}


def shown(made: Mapping[str, Sequence[Run]]):
    """`readings.comparison` for a notebook, with the machine and the seeds in its caption; or what makes the runs."""
    if not made:
        return gpu.nothing(ITEM)
    entry = items.entry(ITEM)
    return readings.comparison(made, entry["at"]).style.set_caption(_where(made, entry))


def _where(made: Mapping[str, Sequence[Run]], entry: Mapping) -> str:
    every = [run for runs in made.values() for run in runs]
    cards = {run.record.content["provenance"]["hardware"]["gpu"] or "a CPU" for run in every}
    table, wanted = readings.reached(made, entry["at"]), designs.load(entry["design"]).n
    far = ", ".join(f"{name} {row['as far']:.0f} of {row.runs:.0f}" for name, row in table.iterrows())
    return f"On {' and '.join(sorted(cards))}, of {wanted} seeds, at {entry['at']:g} nats a token; as far came: {far}."
