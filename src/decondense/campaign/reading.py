"""The runs of an item, found among records: those of a folder, or those that the repository keeps."""

from collections.abc import Mapping
from pathlib import Path

from .. import records
from ..runs.run import Run
from . import items
from .training import TUNING_SEED


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
    order = list(item.changes)
    made = [Run(label, record.content["config"]["seed"], record) for label, record in labelled if label]
    return sorted(made, key=lambda run: (order.index(run.label), run.seed))


def _is_of(config: Mapping, item: items.Runs) -> bool:
    """By the experiment; of further training by its model, and by its size, which tells a tiny one."""
    asked = item.shared.as_dict()
    names = ("experiment",) if "experiment" in asked else ("model", "corpus", "batch_size", "length")
    return all(config.get(name) == asked[name] for name in names) and config["seed"] != TUNING_SEED


def label_of(config: Mapping, changes: Mapping[str, Mapping]) -> str | None:
    """The label all of whose changes a configuration has; of several the one with the most."""
    has = lambda change: all(
        value.items() <= config[name].items() if name == "shape" else config[name] == value
        for name, value in change.items()
    )
    return max((label for label in changes if has(changes[label])), key=lambda label: len(changes[label]), default=None)
