"""The Python source of the packages installed here, those under a free licence, as documents to train on.

Nothing of it is passed on: it is packed into token files (`packed`) on the machine that has the packages.
"""

import re
from importlib import metadata
from typing import NamedTuple

from ..base.files import sha256
from .documentation import PACKAGES

HELD_OUT = 0.03  # share of the bytes whose packages are never trained on, about
LARGEST = 0.01  # of the bytes: a package that is held out has no more, so that several are
LINE = 20  # characters of a line that tells texts apart
FREE = re.compile(
    r"\b(MIT|[0-3]?-?clause BSD|0?BSD|Apache|ISC|Zlib|CC0|Unlicense|Python Software Foundation|PSF|MPL|Mozilla|L?GPL|"
    r"GNU .*General Public|Boost|BSL-1\.0|Public Domain)\b",
    re.IGNORECASE,
)
CLOSED = re.compile(r"proprietary|commercial|NVIDIA|all rights reserved", re.IGNORECASE)


class Package(NamedTuple):
    """An installed package: its name and version, its licence as its metadata say, the texts of its Python files."""

    name: str
    version: str
    licence: str
    files: list[str]


def packages() -> list[Package]:
    """The installed packages under a free licence that have Python files, in the order of a hash of their names."""
    found: dict[str, Package] = {}
    for distribution in metadata.distributions():
        name, licence = distribution.metadata["Name"], licence_of(distribution.metadata)
        if licence and name not in found and (files := _files(distribution)):
            found[name] = Package(name, distribution.version, licence, files)
    return sorted(found.values(), key=lambda package: sha256(package.name.lower()))


def licence_of(about) -> str:
    """The free licence that a package's metadata name; empty where they name none, or one that is not free."""
    classified = [c.rpartition("::")[2].strip() for c in about.get_all("Classifier", []) if c.startswith("License")]
    field = (about.get("License") or "").strip().partition("\n")[0]
    said = [about.get("License-Expression") or "", *classified, field if len(field) <= 80 else ""]
    if any(CLOSED.search(words) for words in said):
        return ""
    return next((words for words in said if FREE.search(words)), "")


def _files(distribution) -> list[str]:
    paths = sorted({str(file.locate()) for file in distribution.files or [] if file.suffix == ".py"})
    return [text for path in paths if (text := _text(path)).strip()]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):  # a name of the list that is not there, or another encoding
        return ""


def unlike(held_out: list[str], train: list[str]) -> list[str]:
    """Those of the held-out texts of which no more than half, by letters, are lines that training sees too.

    Two packages may be one under two names. Lines of fewer than `LINE` characters do not count.
    """
    lines = lambda text: [line.strip() for line in text.splitlines() if len(line.strip()) >= LINE]
    ours = {line for text in held_out for line in lines(text)}
    seen = {line for text in train for line in lines(text) if line in ours}
    letters = lambda found: sum(map(len, found))
    return [text for text in held_out if 2 * letters(seen.intersection(found := lines(text))) <= letters(found)]


def split(every: list[Package]) -> tuple[list[Package], list[Package]]:
    """(to train on, held out): packages by the order of `packages`, until `HELD_OUT` of the bytes are held out.

    Never one whose docstrings are in the documentation corpus, which is trained on, nor a very large one.
    """
    sizes = {package.name: sum(map(len, package.files)) for package in every}
    total, kept, held_out = sum(sizes.values()), [], []
    for package in every:
        have = sum(sizes[other.name] for other in held_out)
        fits = sizes[package.name] <= LARGEST * total and have < HELD_OUT * total
        held_out.append(package) if fits and package.name not in PACKAGES else kept.append(package)
    return kept, held_out
