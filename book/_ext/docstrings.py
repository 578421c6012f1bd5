"""Docstrings in plain prose become reStructuredText: `code`, errors under Raises, characters that it would read."""

import re

CODE = re.compile(r"(``.+?``|`[^`]+`)")
ERROR = re.compile(r"^(\s+)(\w+(?:Error|Interrupt)(?:, \w+Error)*): ")
SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def as_rst(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText. Text under a line that ends in :: stays as it is."""
    made, literal, errors = [], None, None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal is not None and (not line.strip() or indent > literal):
            made.append(line)
            continue
        literal = indent if line.endswith("::") else None
        if line.strip() and errors is not None and indent <= errors:
            errors = None
        if line.strip() == "Raises":
            errors = indent
        made.append(_error(line) if errors is not None and line.strip() != "Raises" else _prose(line))
    return made


def _prose(line: str) -> str:
    parts = CODE.split(line)
    for i, part in enumerate(parts):
        # A literal ends only before a space or a mark: an escaped space parts it from what is neither.
        touches = i % 2 and re.match(r"[\w^]", parts[i + 1])
        parts[i] = f"``{part.strip('`')}``" + (r"\ " if touches else "") if i % 2 else SPECIAL.sub(r"\\\1", part)
    return "".join(parts)


def _error(line: str) -> str:
    """One error an item: `ValueError: why`, with its further lines."""
    found = ERROR.match(line)
    if found:
        return f"{found[1]}* ``{found[2]}``: {_prose(line[found.end() :])}"
    return f"      {_prose(line.strip())}" if line.strip() else line


def process(app, what, name, obj, options, lines) -> None:
    lines[:] = as_rst(lines)


def skip_field(app, what, name, obj, skip, options) -> bool | None:
    """Fields of a NamedTuple have no text of their own: the class says what they are."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip_field)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
