"""What a command is given, looked at before anything is loaded: texts, names of models, the folder to write into."""

import errno
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path

from ..base.errors import printable
from .command import REFUSALS, SOURCES

DATASET = "documentation"  # needs no network
MAX_LENGTH = 512  # tokens of a text, where the models take so many
N_TEXTS = 10  # drawn from a data set where no number is given


def texts(
    files: Sequence[Path] = (),
    dataset: str | None = None,
    n: int | None = None,
    first_seed: int = 0,
    sources: Sequence[str] = SOURCES,
    *,
    column: str | None = None,
    split: bool = False,
    max_length: int = MAX_LENGTH,
):
    """`corpora.Texts`: the first `n` texts of `files` (all, without `n`), or `n` drawn from a data set.

    With neither, the data set is the documentation of installed packages, which needs no network. Files are read by
    `corpora.reading`, data sets that are no corpus by name by `corpora.hub`.

    Raises
        FileNotFoundError, IsADirectoryError: no such file, or a folder in its place; the data set is not available.
        ValueError: files and a data set, or an option of the one with the other; what `corpora.reading.read`,
            `corpora.hub.texts`, `corpora.load` and `corpora.draw` raise.
    """
    if files and dataset:
        raise ValueError("Texts come from files or from a data set: give --texts or --dataset, not both.")
    if files and first_seed:
        raise ValueError("--text-seed is for data sets; texts from files are taken in order: leave it out.")
    if split and not files:
        raise ValueError("--split cuts files: give some with --texts, or leave it out.")
    from .. import corpora
    from ..corpora import hub, reading

    if files:
        found = reading.read(files, n, column=column, max_length=max_length, split=split)
        _warn_of_repeats(found)
        return corpora.Texts(found, f"files {', '.join(map(_name, files))}{', in pieces' if split else ''}")
    if dataset and dataset not in corpora.ORIGINS and hub.is_name(dataset):
        return hub.texts(dataset, n or N_TEXTS, first_seed, column=column, sources=sources)
    if column:
        raise ValueError(f"--column is for files, folders and the hub; {dataset or DATASET} has none: leave it out.")
    return corpora.draw(corpora.load(dataset or DATASET, sources), n or N_TEXTS, first_seed)


def _warn_of_repeats(found: Sequence) -> None:
    repeats = len(found) - len({text if isinstance(text, str) else repr(text) for text in found})
    if repeats:
        said = f"{repeats} of {len(found)} texts repeat another one: the intervals are too narrow"
        warnings.warn(f"{said}. Give each text once.", stacklevel=3)


def _name(path: Path) -> str:
    """Of a file without its folders; what comes through a pipe has none."""
    return printable(path.name) if path.is_file() else "(standard input)" if str(path) == "-" else "(a pipe)"


def check_chats(texts: Sequence, names: Sequence[str], how: Mapping) -> None:
    """Refuse chats before anything is loaded where the tokenizer of no model has a template for them.

    Raises
        ValueError: none has.
    """
    if all(isinstance(text, str) for text in texts):
        return
    from .. import surveys

    for name in [how["tokenizer"]] if how["tokenizer"] else names:
        try:
            tokenizer = surveys.load_tokenizer(name, how["sources"], accept_terms=how["accept_terms"])
        except REFUSALS:  # said when it is measured
            return
        if getattr(tokenizer, "chat_template", None):
            return
    cure = "Name an instruct model whose tokenizer fits (--tokenizer MODEL), or give texts without roles."
    raise ValueError(f"The texts are chats, and {', '.join(names)} has no chat template. {cure}")


def check(names: Sequence[str], how: Mapping) -> None:
    """Refuse, before anything is loaded, what every model would be refused for; `how` as `surveys.by_name` takes it.

    Raises
        ValueError: unknown model, weights, dtype, source or device; a model given twice; a seed that nothing reads.
        FileNotFoundError, NotADirectoryError: a folder that holds no model, no such folder, a file.
    """
    from .. import models

    files = [models.file_name(name) for name in names]
    if twice := [file for file in files if files.count(file) > 1]:
        raise ValueError(f"{twice[0]} is given twice, or is the name of two folders. Measure them one by one.")
    models.check_names([*names, *filter(None, [how["tokenizer"]])])
    others = [name for name in names if not models.is_pocket(name)]
    if how["seed"] and how["weights"] == "pretrained" and others:
        raise ValueError(f"{others[0]} has weights of its own: add --weights random, or leave --seed out.")
    models.check_settings(how["weights"], how["dtype"], how["sources"], how["device"])  # last: only this needs torch


def longest(names: Sequence[str], lengths: Sequence[int | None] = ()) -> int:
    """How many tokens a text is cut to where nobody says: `MAX_LENGTH`, or fewer where a model has fewer positions.

    `lengths` are those of results that the models are compared with.
    """
    return min([MAX_LENGTH, *filter(None, lengths), *filter(None, map(_positions, names))])


def _positions(name: str) -> int | None:
    from .. import models

    try:
        return models.positions(name)
    except ValueError:  # a damaged model: its measurement says so
        return None


def refuse_unread(command: Callable, asked: Mapping, read: Sequence[str], why: str) -> None:
    """Refuse options of a command that are set and that nobody would read; `read` are those that somebody does.

    Raises
        ValueError: names the first of them, and says `why`.
    """
    for name, parameter in signature(command).parameters.items():
        if name not in read and asked[name] != parameter.default:
            raise ValueError(f"--{name.replace('_', '-')} {why}: leave it out.")


def check_folder(folder: Path, setting: str = "--out") -> None:
    """Refuse a folder that cannot be made or written into; nothing is left behind. `setting` is where it was given.

    Raises
        OSError: with the reason, and another folder as the cure.
    """
    try:
        place = nearest(folder)  # fails for a name that is too long
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = "a file is in the way" if error.errno == errno.ENOTDIR else error.strerror
        raise OSError(f"Cannot write into {folder} ({reason}). Give another folder with {setting}.") from error


def nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return place
