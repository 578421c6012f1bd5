"""Data sets that have no name here: a folder that `datasets` saved, or any id on the hub; and texts drawn from them."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from .. import corpora
from ..base import hub
from ..base.extras import need
from .reading import formats

ROWS = 10_000  # read from the start of a data set and no more: enough to draw from, whatever its size


def is_name(dataset: str) -> bool:
    """Whether a name means a data set of this module: an id with a slash, or a folder."""
    return "/" in dataset or Path(dataset.partition(":")[0]).is_dir()


def texts(
    dataset: str, n: int, first_seed: int = 0, *, column: str | None = None, sources: Sequence[str] = corpora.SOURCES
) -> corpora.Texts:
    """`n` texts of a data set: drawn as `corpora.sample_texts` does, or `n` of its chats.

    dataset
        "owner/name", "owner/name:configuration" or "owner/name:configuration:split" on the hub; a folder that
        `save_to_disk` wrote, "folder" or "folder:split". Without a split it is "train". The first 10,000 rows are
        read. A row that does not end in white space gets a newline, so that no two words become one.
    column
        The column to take; without one, "text" or "messages" (chats), whichever is there. Chats are drawn without
        repetition by `numpy.random.default_rng(first_seed)`.

    Raises
        FileNotFoundError: a folder without a data set; on the hub no such data set, configuration or split, no answer,
            or the hub is not among `sources`.
        ValueError: no such split in a folder; no such column; no texts in it; fewer than asked.
        ImportError: the extra `train`, with `datasets`, is missing.
    """
    rows, source = _rows(dataset, column, sources)
    if all(map(formats.is_chat, rows)):
        if n > len(rows):
            raise ValueError(f"{dataset} has {len(rows)} chats, fewer than --n {n}. Take fewer.")
        chosen = np.random.default_rng(first_seed).permutation(len(rows))[:n]
        return corpora.Texts([rows[i] for i in chosen], f"{_label(dataset)} ({source})")
    if not all(isinstance(row, str) for row in rows):
        kind = type(next(row for row in rows if not isinstance(row, str))).__name__
        raise ValueError(f"{dataset} has {kind} where a text should be. {formats.NAME_A_COLUMN}")
    rows = [row if row[-1:].isspace() else f"{row}\n" for row in rows]
    try:
        return corpora.draw(corpora.Corpus(_label(dataset), rows, source, ""), n, first_seed)
    except ValueError as error:
        cure = "Or write it to a file with to_json, and give that with --texts: each row is a text then."
        raise ValueError(f"{error} {cure}") from error


def _rows(dataset: str, column: str | None, sources: Sequence[str]) -> tuple[list, str]:
    name, _, rest = dataset.partition(":")
    if Path(name).is_dir():
        table, where = _of_folder(Path(name), rest or "train"), "folder"
    else:
        table, at = _of_hub(dataset, sources)
        where = f"hub at {at}"
    wanted = formats.pick(table.column_names or next(iter(table), []), column, dataset)
    rows = [row[wanted] for row in islice(table.select_columns([wanted]), ROWS)]
    if not rows:
        raise ValueError(f"{dataset} has no rows. Name another split.")
    return rows, f"{where}, column {wanted}, the first {len(rows):,} rows"


def _of_folder(folder: Path, split: str):
    datasets = need("datasets", extra="train")
    try:
        found = datasets.load_from_disk(str(folder))
    except FileNotFoundError as error:
        cure = "Save one there with save_to_disk, or give the files in it with --texts."
        raise FileNotFoundError(f"The folder {folder} holds no data set of `datasets`. {cure}") from error
    if not isinstance(found, dict):
        return found
    if split not in found:
        raise ValueError(
            f"{folder} has no split {split!r}. It has: {', '.join(found)}. Give {folder}:{next(iter(found))}."
        )
    return found[split]


def _of_hub(dataset: str, sources: Sequence[str]) -> tuple:
    """The rows, and the commit that they are from."""
    if "hub" not in sources:
        raise FileNotFoundError(f"There is no folder {dataset}, and of the hub it may not be: add hub to --sources.")
    datasets = need("datasets", extra="train")
    name, configuration, split, *_ = [*dataset.split(":"), "", ""]
    offline = datasets.config.HF_HUB_OFFLINE  # then the cache has it whole, or not at all
    try:
        return hub.rows(name, configuration or None, split or "train", streaming=not offline)
    except Exception as error:  # of any library of the network below it
        cure = "Look at the name (owner/name:configuration:split)" + (", or go online." if offline else ".")
        raise FileNotFoundError(f"Could not get the data set {dataset} from the hub ({error}). {cure}") from error


def _label(dataset: str) -> str:
    """The name without the folders it is in."""
    name, colon, rest = dataset.partition(":")
    return f"{Path(name).resolve().name}{colon}{rest}" if Path(name).is_dir() else dataset
