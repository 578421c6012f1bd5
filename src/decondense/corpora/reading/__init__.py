"""Texts out of the files that people have, recognised by their content: text, JSON, tables, Parquet; gzip of each.

What a name promises counts only where the content leaves it open. What is no text, or could be read in two ways, is
refused with the way to convert it; no syntax of a format is ever measured as text.
"""

import gzip
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from io import BufferedIOBase, TextIOWrapper
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import NamedTuple

from . import formats, opening, refused
from .opening import HEAD, STDIN
from .pieces import count_words, long_enough, pieces

WITHOUT_N = 10_000  # texts taken where nobody says how many: more are hardly meant
ENOUGH = 2  # words for each token: a text is kept so far, since a tokenizer gives about one token a word or more
LINES, TABLES = (".jsonl", ".ndjson", ".json"), {".csv": None, ".tsv": "\t"}
MARKS = (  # byte order marks; that of UTF-32 begins as one of UTF-16
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip

Chat = list[dict]
Text = str | Chat


class _Found(NamedTuple):
    """A text as far as it can be measured, and how many words the whole has; negative: more than so many."""

    text: Text
    words: int


def read(
    paths: Iterable[Path | str],
    n: int | None = None,
    *,
    column: str | None = None,
    max_length: int = 512,
    split: bool = False,
) -> list[Text]:
    """The first `n` texts of files (all, without `n`), in order: strings, or chats as lists of messages.

    A file of text (.txt, .md, ...) is one text, "-" is standard input. JSON Lines, a JSON list, a table (.csv, .tsv)
    and Parquet have one text a row. Each may be packed by gzip. UTF-8, UTF-16 and UTF-32 with a byte order mark, which
    is dropped; line ends become newlines. The format is found by content; a row is a string, or has columns.

    column
        The column, or field, to take; without one, "text" or "messages" (a chat), whichever is there.
    max_length
        Tokens of a text that will be measured: no more than 2 `max_length` words of it are kept, so that a file of any
        size takes no more memory than that; what comes further on is not looked at. A warning says what is left out.
    split
        Cut each text into consecutive pieces of 2 `max_length` words: `sample_texts` takes as many for 512 tokens. The
        rest at the end is a piece if it has `max_length` words. A word is a run of up to 16 characters without white
        space, or two Chinese or Japanese ones. Chats stay whole.

    Raises
        FileNotFoundError, IsADirectoryError: no such file, or a folder in its place.
        ValueError: no text, or what may be the syntax of a format; an unclear encoding; no such column, or one that
            is mostly numbers; fewer than `n` texts; more than 10,000 and no `n`.
        ImportError: for Parquet, the extra `train` is missing.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        opening.check(path)
    if paths.count(Path(STDIN)) > 1:
        raise ValueError(f"--texts {STDIN} is given twice, and standard input can be read once. Give it once.")
    found, limit = [], n or WITHOUT_N + 1
    for path in paths:
        if len(found) < limit:
            found += _of_file(path, limit - len(found), column, max_length, split)
    what = ("piece" if split else "text") + "s" * (len(found) != 1)
    if n and n > len(found):
        raise ValueError(f"The files hold {len(found)} {what}, fewer than --n {n}. Leave --n out to take all.")
    if not n and len(found) > WITHOUT_N:
        raise ValueError(f"The files hold more than {WITHOUT_N:,} {what}. Say how many to take, with --n.")
    return found


def _of_file(path: Path, limit: int, column: str | None, max_length: int, split: bool) -> list[Text]:
    name = refused.STDIN if str(path) == STDIN else str(path)
    with (
        opening.opened(path) as file,
        opening.plainly(name, file),
        closing(_texts(file, PurePath(name), column, max_length, split)) as texts,
    ):
        found = list(islice(texts, limit))
    if not found:
        raise ValueError(f"{name} is empty. Leave it out, or give a file with some text.")
    if not split:
        _warn_of_long(found, name, max_length)
    return [text for text, _ in found]


def _texts(file: BufferedIOBase, path: PurePath, column, max_length: int, split: bool) -> Iterator[_Found]:
    """By magic bytes, then by structure, then by name."""
    packed = isinstance(file, gzip.GzipFile)
    if packed and path.suffix.lower() == ".gz":
        path = path.with_suffix("")  # the name of what is packed
    head = opening.head_of(file)
    if head.startswith(b"PAR1"):
        yield from _of_rows(formats.of_parquet(opening.seekable(file), str(path), column), max_length, split)
        return
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig":
        refused.refuse(file, head, path)
    size = None if packed else opening.size_of(file)
    with opening.decoded(file, encoding) as text:
        start = text.read(HEAD)
        text.seek(0)
        if not start.strip():
            return
        if (rows := _rows(text, start, path, column)) is not None:
            yield from _of_rows(rows, max_length, split)
        elif column:
            raise ValueError(f"{path} is plain text and has no columns. Leave --column out.")
        else:
            yield from _of_text(text, path, size, max_length, split)


def _rows(file: TextIOWrapper, start: str, path: PurePath, column) -> Iterator[formats.Row] | None:
    """The rows of JSON or of a table; `None` for plain text."""
    suffix = path.suffix.lower()
    if suffix in LINES or formats.is_json(start):
        return formats.of_json(file, str(path), column)
    if formats.are_strings(start):
        cure = "Name it .jsonl if each line is a text; else take the quotes off."
        raise ValueError(f"{path} has JSON strings on its lines, or text in quotes: either may be meant. {cure}")
    if suffix in TABLES:
        return formats.of_table(file, str(path), column, TABLES[suffix])
    delimiter = None if suffix == ".md" else formats.delimiter_of(start, column)
    read_as = f"{path} (read as a table; prose may be named .md)"
    return formats.of_table(file, read_as, column, delimiter) if delimiter else None


# --- texts ----------------------------------------------------------------------------------------------------------


def _of_text(file: TextIOWrapper, path: PurePath, size: int | None, max_length: int, split: bool) -> Iterator[_Found]:
    """A file is one text, or its pieces. Of a long one the number of words is estimated by its first characters and
    its `size`; where that is not known, it is only known that there are more."""
    blocks = iter(lambda: _sound(file.read(HEAD), str(path)), "")
    start, more = next(blocks), next(blocks, "")
    found = pieces(chain([start, more], blocks), ENOUGH * max_length)
    if split:
        yield from (_Found(piece, 0) for piece in long_enough(found, max_length))
        return
    words = count_words(start)
    if more:
        share = len(start.encode(file.encoding.removesuffix("-sig"))) / size if size else 0
        words = round(words / share) if share else -words
    yield _Found(next(found), words)


def _of_rows(rows: Iterable[formats.Row], max_length: int, split: bool) -> Iterator[_Found]:
    rows = iter(rows)
    start = list(islice(rows, 20))
    numbers = [row for row in start if _is_number(row[1])]
    if len(numbers) > len(start) / 2:
        where, value = numbers[0]
        raise ValueError(f"{where} has a number, {value}, and no text. {formats.NAME_A_COLUMN}")
    for where, value in chain(start, rows):
        if formats.is_chat(value):
            yield _Found(value, 0)
            continue
        text = _text_of(value, where)
        cut = pieces([text], ENOUGH * max_length)
        if split:
            yield from (_Found(piece, 0) for piece in long_enough(cut, max_length))
        else:
            yield _Found(next(cut), count_words(text))


def _text_of(value: object, where: str) -> str:
    if isinstance(value, list) and value and all(isinstance(message, Mapping) for message in value):
        keys = ", ".join(sorted({str(key) for message in value for key in message})[:20])
        raise ValueError(f'{where} is no chat: messages need "role" and "content"; found {keys}. Rename them.')
    if not isinstance(value, str) or not value.strip():
        rows = "a row is a string, has a text in its column, or is a chat: a list of messages with role and content"
        raise ValueError(f"{where} has no text. Leave it out; {rows}.")
    return _sound(value.replace("\r\n", "\n"), where)


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _sound(text: str, where: str) -> str:
    """The text itself, without characters that no text has.

    Raises
        ValueError: a NUL, or half of a surrogate pair, which JSON can hold and a tokenizer cannot.
    """
    if bad := re.search("[\x00\ud800-\udfff]", text):
        raise ValueError(f"{where} holds the character U+{ord(bad[0]):04X}, which no text has. Take it out.")
    return text


def _warn_of_long(found: Sequence[_Found], name: str, max_length: int) -> None:
    long = [words for _, words in found if abs(words) > max_length]
    if not long:
        return
    cure = f"only the first {max_length} tokens are measured"
    if len(found) > 1:
        said = f"{len(long)} of {len(found)} texts of {name} have more than {max_length} words: of each {cure}"
    elif long[0] < 0:
        said = f"{name} has more than {-long[0]:,} words, of which {cure}"
    else:
        left = 1000 * (long[0] - max_length) // long[0] / 10
        said = f"{name} has about {float(f'{long[0]:.3g}'):,.0f} words, of which {cure} ({left} % or more is left out)"
    warnings.warn(f"{said}. --split takes consecutive pieces.", stacklevel=4)
