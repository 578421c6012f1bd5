"""What a command is given, looked at before anything is loaded: texts, names of models, the folder to write into."""

import errno
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..base.errors import printable
from .command import SOURCES

DATASET = "documentation"  # needs no network
N_TEXTS = 10  # drawn from a data set where no number is given


def texts(
    files: Sequence[Path] = (),
    dataset: str | None = None,
    n: int | None = None,
    first_seed: int = 0,
    sources: Sequence[str] = SOURCES,
):
    """`corpora.Texts`: the first `n` of `files` (all, without `n`), or `n` drawn from a data set by name.

    With neither, the data set is the documentation of installed packages, which needs no network. A file is one text;
    a file `.jsonl` has one a line, each a JSON string or an object with the field "text".

    Raises
        FileNotFoundError, IsADirectoryError: no such file, or a folder in its place; the data set is not available.
        ValueError: a file that is empty, not UTF-8 or no JSON Lines; fewer texts than `n`; an unknown data set; files
            and a data set, or a seed of one.
    """
    if files and dataset:
        raise ValueError("Texts come from files or from a data set: give --texts or --dataset, not both.")
    if files and first_seed:
        raise ValueError("--text-seed is of a data set; texts of files are taken in order: leave it out.")
    from .. import corpora

    if not files:
        return corpora.draw(corpora.load(dataset or DATASET, sources), n or N_TEXTS, first_seed)
    found = [text for path in files for text in _read(path)]
    if n and n > len(found):
        raise ValueError(f"The files hold {len(found)} texts, fewer than --n {n}. Leave --n out to take all.")
    return corpora.Texts(found[:n], f"files {', '.join(printable(path.name) for path in files)}")


def _read(path: Path) -> list[str]:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Name the files in it, each with a --texts of its own.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give --texts a file, or --dataset a name.")
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        cure = "Save it as UTF-8 (iconv -f LATIN1 -t UTF-8)."
        raise ValueError(f"{path} is not UTF-8 (byte {error.start}: {error.reason}). {cure}") from error
    if not content.strip():
        raise ValueError(f"{path} is empty. Leave it out, or give a file with some text.")
    if path.suffix != ".jsonl":
        return [content]
    return [_text_of(line, path, number) for number, line in enumerate(content.split("\n"), 1) if line.strip()]


def _text_of(line: str, path: Path, number: int) -> str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {number} is not JSON ({error.msg}). Give one JSON object a line.") from error
    text = row.get("text") if isinstance(row, dict) else row
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'{path}, line {number} has no text. Give each line a string, or an object with "text".')
    return text


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
