"""What a page must not tell: folders of the machine that executed it, the name of its user, the name of the host."""

import getpass
import json
import os
import re
import socket
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import nbformat

from ..base.files import cache_dir

# Where a name may begin: not within a word; but the end of a terminal's colour, or of a line in JSON, is a letter too.
_START = r"(?:(?<![\w.~-])|(?<=[\[;]\dm)|(?<=[\[;]\d\dm)|(?<=[\[;]\d\d\dm)|(?<=\\[nrt]))"
# Homes of other users and machines: a record may have been made elsewhere.
_HOMES = ("/home/", "Users")
_ANY_HOME = re.compile(_START + r"""(?:/home/|/Users/|[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/))[^\s/\\"'<>:&]+""")
_BASE64 = re.compile(r"""base64,[\w+/=]+|"[\w+/]{76}\\n\"""")  # in a page, in a notebook's file
_IMAGES = ("image/png", "image/jpeg", "application/pdf")
_PAGES = {".html", ".ipynb", ".json", ".md", ".txt", ".csv", ".js"}


class Rule(NamedTuple):
    """What is looked for, and what is put in its place; where none of `marks` is, there is nothing to be found.

    To look for a mark takes a hundredth of the time.
    """

    pattern: re.Pattern
    short: str
    marks: tuple[str, ...]

    def may_match(self, said: str) -> bool:
        return any(mark in said for mark in self.marks)


def notebook(executed: nbformat.NotebookNode, root: Path) -> nbformat.NotebookNode:
    """The notebook without local names, in all its texts: outputs, sources, metadata. Images are left as they are.

    The folder `root` becomes `.`, the folders of `DECONDENSE_CACHE`, `DECONDENSE_DATA` and `DECONDENSE_RECORDS`
    become these names, every home folder becomes `~`, user and host become `user` and `host` (see `names`). Papermill's
    account of its run is dropped.
    """
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
    rules = _rules(root)
    return nbformat.from_dict(_walk(executed, rules))


def text(said: str, root: Path) -> str:
    """One text without local names, as in `notebook`."""
    return _apply(said, _rules(root))


def records(folder: Path, root: Path) -> None:
    """Rewrite the records in `folder`, which must be copies, without local names: a model may have been a folder's.

    A record that is changed by this no longer has the hash that it states of itself.
    """
    rules = _rules(root)
    for path in folder.glob("*.json"):
        said = path.read_text(encoding="utf-8")
        path.write_text(_apply(said, rules), encoding="utf-8")


def leaks(site: Path, root: Path) -> list[str]:
    """`page: what was found` for each local name that is left in the pages and records of `site`.

    Files under `_static` belong to packages and are not read; base64 (images) is not searched.
    """
    rules = _rules(root)
    found = []
    for path in sorted(path for path in site.rglob("*") if path.suffix in _PAGES):
        name = path.relative_to(site)
        if "_static" not in name.parts:
            page = _BASE64.sub("", path.read_text(encoding="utf-8", errors="replace"))
            hits = {m[0] for rule in rules if rule.may_match(page) for m in rule.pattern.finditer(page)}
            found += [f"{name}: {hit}" for hit in sorted(hits)]
    return found


def names(root: Path) -> dict[str, str]:
    """User and host of this machine -> what stands for them; none that the book's own pages use as a word.

    A user called `root` or `mark`, or a host called `model`, would tear words out of the prose; such a name says
    nothing either. Within the path of a home folder every name goes.
    """
    own = {_user(): "user", socket.gethostname(): "host", socket.gethostname().partition(".")[0]: "host"}
    return {name: word for name, word in own.items() if len(name) > 2 and not _is_word(name, root)}


@cache
def _is_word(name: str, root: Path) -> bool:
    """Whether the pages of the book have this word; they are not read again for the next page."""
    sources = [*(root / "book").glob("*.md"), *(root / "notebooks").glob("*.ipynb"), *(root / "src").rglob("*.py")]
    return any(re.search(_word(name), path.read_text(encoding="utf-8"), re.I) for path in sources)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        return ""


def folders(root: Path) -> dict[str, str]:
    """Folders of this machine -> what stands for them, the longest first."""
    own = {str(Path.home()): "~", str(root): ".", str(cache_dir()): "$DECONDENSE_CACHE"}
    variables = ("DECONDENSE_DATA", "DECONDENSE_RECORDS")
    own |= {os.environ[name]: f"${name}" for name in variables if os.environ.get(name)}
    real = {os.path.realpath(folder): short for folder, short in own.items()}
    whole = {folder: short for folder, short in (real | own).items() if len(Path(folder).parts) > 1}
    return dict(sorted(whole.items(), key=lambda item: -len(item[0])))


def _rules(root: Path) -> list[Rule]:
    """In the order in which they are applied."""
    rules = [
        Rule(re.compile(rf"{_START}{re.escape(spelling)}(?![\w-])"), short, (spelling,))
        for folder, short in folders(root).items()
        for spelling in _spellings(folder)
    ]
    rules.append(Rule(_ANY_HOME, "~", _HOMES))
    return rules + [Rule(re.compile(_word(name)), word, (name,)) for name, word in names(root).items()]


def _spellings(folder: str) -> Iterable[str]:
    """A path as it is, within JSON or a Python string, with forward slashes, within a URL."""
    forward = Path(folder).as_posix()
    return dict.fromkeys([folder, json.dumps(folder)[1:-1], forward, quote(forward)])


def _word(name: str) -> str:
    return rf"{_START}{re.escape(name)}(?![\w-])"


def _apply(said: str, rules: list[Rule]) -> str:
    for rule in rules:
        if rule.may_match(said):
            said = rule.pattern.sub(lambda _, short=rule.short: short, said)
    return said


def _walk(value, rules):
    if isinstance(value, str):
        return _apply(value, rules)
    if isinstance(value, dict):
        return {key: item if key in _IMAGES else _walk(item, rules) for key, item in value.items()}
    return [_walk(item, rules) for item in value] if isinstance(value, list) else value
