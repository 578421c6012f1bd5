"""What a command is given, looked at before anything is loaded: texts, names of models, the folder to write into."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..base.files import sha256
from .command import SOURCES

DATASET = "documentation"  # needs no network
N_TEXTS = 10  # drawn from a data set where no number is given


class Texts(NamedTuple):
    """Texts to measure, where they are from (file names without folders), and the SHA-256 of all of them in order."""

    texts: list[str]
    source: str
    sha256: str


def texts(
    files: Sequence[Path] = (),
    dataset: str | None = None,
    n: int | None = None,
    first_seed: int = 0,
    sources: Sequence[str] = SOURCES,
) -> Texts:
    """The first `n` texts of `files` (all, without `n`), or `n` texts drawn from a data set by name.

    With neither, the data set is the documentation of installed packages, which needs no network. A file is one text;
    a file `.jsonl` has one a line, each a JSON string or an object with the field "text".

    Raises
        FileNotFoundError, IsADirectoryError: no such file, or a folder in its place; the data set cannot be had.
        ValueError: a file that is empty, not UTF-8 or no JSON Lines; fewer texts than `n`; an unknown data set; files
            and a data set, or a seed of one.
    """
    if files and dataset:
        raise ValueError("Texts come from files or from a data set: give --texts or --dataset, not both.")
    if files and first_seed:
        raise ValueError("--text-seed is of a data set; texts of files are taken in order: leave it out.")
    dataset = dataset or DATASET
    if files:
        found = [text for path in files for text in _read(Path(path))]
        if n and n > len(found):
            raise ValueError(f"The files hold {len(found)} texts, fewer than --n {n}. Leave --n out to take all.")
        found = found[:n]
        return Texts(found, f"files {', '.join(Path(path).name for path in files)}", fingerprint(found))
    from .. import corpora

    corpus = corpora.load(dataset, sources=sources)
    found = corpora.sample_texts(corpus, n or N_TEXTS, first_seed)
    return Texts(found, f"{dataset} ({corpus.source})", fingerprint(found))


def fingerprint(texts: Sequence[str]) -> str:
    """SHA-256 over the texts in order: two measurements with the same one were made on the same texts."""
    return sha256("\x1e".join(texts))


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


def check_models(names: Sequence[str]) -> None:
    """Refuse a name that can be no model: not known, a folder without a configuration, a path to nothing.

    Raises
        ValueError: unknown name, or a name given twice.
        FileNotFoundError, NotADirectoryError: a folder without config.json, no such folder, a file.
    """
    from .. import models
    from ..models import pocket

    files = [file_name(label(name)) for name in names]
    for name, file in zip(names, files, strict=True):
        if files.count(file) > 1:
            raise ValueError(f"{file} is given twice, or is the name of two folders. Measure them one by one.")
        if Path(name).is_dir():
            if not (Path(name) / "config.json").is_file():
                cure = "Save a model there with model.save_pretrained, or name a known model."
                raise FileNotFoundError(f"The folder {name} has no config.json. {cure}")
        elif Path(name).is_file():
            cure = "Give the folder that it is in. Results that were saved are for `decondense compare`."
            raise NotADirectoryError(f"{name} is a file; a model is a folder. {cure}")
        elif name.startswith(("/", ".", "~")):
            raise FileNotFoundError(f"There is no folder {name}. Give a folder, a model's name, or its id on the hub.")
        elif name not in pocket.SIZES:
            models.resolve(name)


def label(name: str, weights: str = "pretrained", seed: int = 0) -> str:
    """The name that results carry: of a folder the last part of its path; whether the weights are random; the seed."""
    short = Path(name).resolve().name if Path(name).is_dir() else name
    if weights == "pretrained":
        return f"{short}-seed{seed}" if seed else short  # of a pocket model, which is trained here
    return f"{short}-random-{seed}"


def file_name(label: str) -> str:
    """A label as the name of a file: of a hub id the part after the slash, in lower case."""
    return label.split("/")[-1].lower()


def check_folder(folder: Path, setting: str = "--out") -> None:
    """Refuse a folder that cannot be made or written into; nothing is left behind. `setting` is where it was given.

    Raises
        OSError: with the reason, and another folder as the cure.
    """
    place = nearest(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = "a file is in the way" if place.is_file() else error.strerror
        raise OSError(f"Cannot write into {folder} ({reason}). Give another folder with {setting}.") from error


def nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return place
