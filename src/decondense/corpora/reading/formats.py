"""Rows out of JSON, tables and Parquet: one small function a format. Each row is `(where, value)`.

`where` names the row in an error ("a.jsonl, line 3"), the value is that of the column that is asked for.
`reading` checks it, as all texts.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase, StringIO, TextIOBase
from itertools import chain, islice

from ...base.extras import need

COLUMNS = ("text", "messages")  # looked for where no column is named
NAME_A_COLUMN = "Name a column of texts or chats with --column."
Row = tuple[str, object]

_LIKE_JSON = re.compile(r"""\s*(\{\s*["'}]|\[\s*(["'{\]]|\[\s*["{\[\d]))""")
_CELL = 40  # characters: a longer first cell, or one that begins with a blank, is prose and no name of a column
_ROWS = 1000  # of a Parquet file in memory at a time


# --- columns --------------------------------------------------------------------------------------------------------


def pick(names: Iterable[str], column: str | None, where: str) -> str:
    """The column to read: the one asked for, else "text" or "messages", whichever is there.

    Raises
        ValueError: it is not there (the columns are named), or both of the two are.
    """
    names = list(map(str, names))
    found = [name for name in ([column] if column else COLUMNS) if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{where} has {' and '.join(found)}. Say which to read: --column {found[0]}.")
    listed = ", ".join(name if len(name) <= _CELL else f"{name[:_CELL]}..." for name in names[:20])
    raise ValueError(f"{where} has no column {column or COLUMNS[0]!r}. It has: {listed or 'none'}. {NAME_A_COLUMN}")


def is_chat(value: object) -> bool:
    """Whether it is a list of messages, each with a role and what was said."""
    of_chat = lambda message: isinstance(message, Mapping) and {"role", "content"} <= set(message)
    return isinstance(value, list) and bool(value) and all(map(of_chat, value))


# --- JSON -----------------------------------------------------------------------------------------------------------


def is_json(head: str) -> bool:
    """Whether a text begins as JSON does, or the objects of Python: `{"`, `[{`, `["`, `[[1`, ..."""
    return bool(_LIKE_JSON.match(head))


def are_strings(head: str) -> bool:
    """Whether each line is a JSON string, or nothing; the last one may be cut off."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    return bool(lines) and all(line.startswith('"') for line in lines) and isinstance(_value(lines[0]), str)


def of_json(file: TextIOBase, name: str, column: str | None) -> Iterator[Row]:
    """JSON Lines, read line by line; or one JSON value, read whole: a list of rows, or a single row.

    A row is a string, an object with the column, or a list of messages.

    Raises
        ValueError: no JSON, with the line.
    """
    numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip())
    first, second = next(numbered), next(numbered, None)
    if second is None or _value(first[1]) is None:
        file.seek(0)
        return _of_value(_parsed(file.read(), name), name, column)
    return (_row(_parsed(line, name, n), f"{name}, line {n}", column) for n, line in chain([first, second], numbered))


def _of_value(value: object, name: str, column: str | None) -> Iterator[Row]:
    rows = value if isinstance(value, list) and not is_chat(value) else [value]
    where = lambda number: f"{name}, row {number}" if len(rows) > 1 else name
    return (_row(row, where(number), column) for number, row in enumerate(rows, 1))


def _row(row: object, where: str, column: str | None) -> Row:
    if isinstance(row, Mapping):
        return where, row[pick(row, column, where)]
    if column:
        raise ValueError(f"{where} has no columns. Leave --column out, or give it an object with {column!r}.")
    return where, row


def _parsed(text: str, name: str, line: int = 0) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        number = line or getattr(error, "lineno", 1)
        why = getattr(error, "msg", str(error))
        cure = "Mend it: one JSON value a line (JSON Lines), or one list of all."
        raise ValueError(f"{name}, line {number} is not JSON ({why}). {cure}") from error


def _value(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


# --- tables ---------------------------------------------------------------------------------------------------------


def delimiter_of(head: str, column: str | None) -> str | None:
    """What separates the cells of a table: its first row has short names, and either the column that is wanted is one
    of them, or the next two rows have as many cells. `None` for what is no table, such as prose.
    """
    for delimiter in "\t,;":
        rows = list(islice(csv.reader(StringIO(head), delimiter=delimiter), 3))
        wanted = set(rows[0]) & set([column] if column else COLUMNS)
        if _are_names(rows[0]) and (wanted or (len(rows) == 3 and len(set(map(len, rows))) == 1)):
            return delimiter
    return None


def _are_names(cells: Sequence[str]) -> bool:
    short = all(cell and len(cell) <= _CELL and cell == cell.strip() for cell in cells)
    return len(cells) > 1 and short and len(set(cells)) == len(cells)


def of_table(file: TextIOBase, name: str, column: str | None, delimiter: str | None) -> Iterator[Row]:
    """The cells of one column of a table whose first row has the names; a blank row is left out.

    Without a `delimiter` it is the one of tab, comma and semicolon that the first row has most of.

    Raises
        ValueError: no such column; a row with more or fewer cells than the first.
    """
    first = file.readline()
    delimiter = delimiter or max(",\t;", key=first.count)
    rows = _cells(chain([first], file), delimiter, name)
    names = next(rows)
    place = names.index(pick(names, column, name))
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(names):
            cure = 'Put texts that hold a comma, a tab or a line break into quotes ("...").'
            raise ValueError(f"{name}, row {number} has {len(row)} cells, the first row has {len(names)}. {cure}")
        if row:
            yield f"{name}, row {number}", row[place]


def _cells(lines: Iterable[str], delimiter: str, name: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)  # else an open quote swallows the rest of the file
    while True:
        try:
            with _long_cells():
                row = next(reader, None)
        except csv.Error as error:
            cure = 'A text in quotes ends with one, and has "" for each quote within.'
            raise ValueError(f"{name}, line {reader.line_num} is no row of a table ({error}). {cure}") from error
        if row is None:
            return
        yield row


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lift the limit on the length of a cell, which holds for the whole process, while a row is read."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


# --- Parquet --------------------------------------------------------------------------------------------------------


def of_parquet(file: BufferedIOBase, name: str, column: str | None) -> Iterator[Row]:
    """One column of a Parquet file, some rows at a time.

    Raises
        ValueError: no such column, or a damaged file.
        ImportError: pyarrow, which comes with the extra `train`, is missing.
    """
    pa = need("pyarrow", extra="train")
    parquet = need("pyarrow.parquet", extra="train")
    try:
        table = parquet.ParquetFile(file)
        wanted = pick(table.schema_arrow.names, column, name)
        batches = table.iter_batches(_ROWS, columns=[wanted])
        values = (value for batch in batches for value in batch.column(0).to_pylist())
        yield from ((f"{name}, row {number}", value) for number, value in enumerate(values, 1))
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{name} is a damaged Parquet file ({error}). Copy it again.") from error
