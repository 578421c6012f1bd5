"""What `decondense tokens` packs: prose of the documentation corpus and of wikitext-2, and Python source."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import corpora
from . import packed, source_code

WIKITEXT = "wikitext-2"
LICENCES = {WIKITEXT: "CC BY-SA 3.0", "documentation": "of the packages whose docstrings it has"}
HELD_OUT = 0.05  # share of the articles of wikitext-2, the last ones
PARAGRAPHS = 50  # of the documentation in a document
_TITLE = re.compile(r"^ = [^=].* = \n?$")


def pack(
    folder: Path,
    tokenizer,
    sources: Sequence[str] = corpora.SOURCES,
    pieces: int | None = None,
    beside: Callable[[Path], None] | None = None,
    more: Mapping | None = None,
) -> dict:
    """Token files (`packed.write`) of all three; what is held out is of wikitext-2 and of packages of their own.

    The documentation is only trained on: its docstrings are in the source as well.

    beside
        As in `packed.write`.
    more
        What else the header says.

    Raises
        What `corpora.load` and `packed.write` raise.
    """
    articles = _articles(corpora.load(WIKITEXT, sources).rows)
    prose = corpora.load("documentation").rows
    every = source_code.packages()
    kept, held_out = source_code.split(every)
    first = round((1 - HELD_OUT) * len(articles))
    train = {
        WIKITEXT: articles[:first],
        "documentation": ["".join(prose[i : i + PARAGRAPHS]) for i in range(0, len(prose), PARAGRAPHS)],
        "source": _files(kept),
    }
    apart = {WIKITEXT: articles[first:], "source": source_code.unlike(_files(held_out), train["source"])}
    about = {
        "characters": {name: sum(map(len, texts)) for name, texts in train.items()},
        "characters_held_out": {name: sum(map(len, texts)) for name, texts in apart.items()},
        "licences": LICENCES | {f"{package.name} {package.version}": package.licence for package in every},
        "packages_held_out": [package.name for package in held_out],
    }
    return packed.write(folder, tokenizer, _all(train), _all(apart), about | dict(more or {}), pieces, beside=beside)


def _articles(rows: Sequence[str]) -> list[str]:
    """The rows of wikitext as articles: one begins at each title."""
    starts = [number for number, row in enumerate(rows) if _TITLE.match(row)]
    ends = [*starts[1:], len(rows)]
    return ["".join(rows[start:end]) for start, end in zip(starts, ends, strict=True)]


def _files(packages: Sequence[source_code.Package]) -> list[str]:
    return [text for package in packages for text in package.files]


def _all(texts: Mapping[str, Sequence[str]]) -> list[str]:
    return [text for some in texts.values() for text in some]
