"""The runs of an item, found among records: those of a folder, or those that the repository keeps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import records
from . import items
from .run import Run


def runs(name: str, folder: Path | None = None, tiny: bool = False) -> list[Run]:
    """In the order of the labels and seeds; without those that chose a rate, and without the token files being here.

    folder
        `None`: the records that the repository keeps.

    Raises
        ValueError: unknown item, or one that is no grid of runs.
    """
    item = items.runs(name, tiny)
    paths = sorted((folder or records.committed_folder()).glob(f"{item.shared.name.removesuffix('train')}*.json"))
    found = [record for record in map(records.read, paths) if record and _is_of(record.content["config"], item)]
    labelled = [(label_of(record.content["config"], item.changes), record) for record in found]
    made = [Run(label, record.content["config"]["seed"], record) for label, record in labelled if label]
    order = list(item.changes)
    kept = sorted(made, key=lambda run: (order.index(run.label), run.seed, run.config["steps"]))
    return _of_one_length(kept, order[0], bool(item.longer))


def _of_one_length(found: Sequence[Run], first: str, longer: bool) -> list[Run]:
    """Those of as many steps as most have; where the item has longer runs of its first label these too, named by steps.

    Runs of two plans may lie among the records, and a label and a seed are to name one run.
    """
    lengths = Counter(run.config["steps"] for run in found if run.label != first or not longer)
    usual = max(lengths, key=lambda steps: (lengths[steps], steps), default=0)
    kept = [run for run in found if run.config["steps"] == usual]
    beyond = [run for run in found if longer and run.label == first and run.config["steps"] > usual > 0]
    return kept + [replace(run, label=f"{first}, {run.config['steps']} steps") for run in beyond]


def step_times(name: str, folder: Path | None = None) -> records.Record | None:
    """The newest record of what a step takes in each condition of an item, if there is one."""
    paths = (folder or records.committed_folder()).glob(f"campaign-{name}-step-times-*.json")
    found = [record for record in map(records.read, sorted(paths)) if record]
    return max(found, key=lambda record: record.content["provenance"]["utc"], default=None)


def _is_of(config: Mapping, item: items.Runs) -> bool:
    """By the experiment; of further training by its model, and by its size, which tells a tiny one."""
    asked = item.shared.as_dict()
    names = ("experiment",) if "experiment" in asked else ("model", "corpus", "batch_size", "length")
    return all(config.get(name) == asked[name] for name in names) and config["seed"] != items.TUNING_SEED


def label_of(config: Mapping, changes: Mapping[str, Mapping]) -> str | None:
    """The label all of whose changes a configuration has; of several the one with the most."""
    has = lambda change: all(
        value.items() <= config[name].items() if name == "shape" else config[name] == value
        for name, value in change.items()
    )
    return max((label for label in changes if has(changes[label])), key=lambda label: len(changes[label]), default=None)
