"""The cells of a notebook file, and the parameters that they take."""

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path


def read(notebook: Path) -> list[dict]:
    """The cells of a notebook file, each `source` joined to one string.

    Raises
        ValueError: the file is not a notebook (broken JSON, or no cells).
    """
    try:
        found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{notebook} is not a Jupyter notebook of format 4: {error}") from error
    return [cell | {"source": "".join(cell["source"])} for cell in found]


def takes(notebook: Path) -> tuple[set[str], set[str]]:
    """The names assigned in the cell tagged `parameters`, and the names that the other code cells read.

    Raises
        ValueError: a code cell that is not valid Python.
    """
    defined, used, tagged = set(), set(), False
    for number, cell in enumerate(read(notebook)):
        if cell["cell_type"] != "code":
            continue
        names = [n for n in ast.walk(parse(notebook, number, cell["source"])) if isinstance(n, ast.Name)]
        if not tagged and "parameters" in cell["metadata"].get("tags", []):
            tagged = True  # papermill injects after the first one
            defined = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        else:
            used |= {n.id for n in names if isinstance(n.ctx, ast.Load)}
    return defined, used


def parse(notebook: Path, number: int, source: str) -> ast.Module:
    """A code cell as Python, its magics left out.

    Raises
        ValueError: it is not valid Python.
    """
    if source.startswith("%%"):
        return ast.Module(body=[], type_ignores=[])
    plain = re.sub(r"(?m)^([ \t]*)[%!].*$", r"\1pass", source)  # line magics are no Python
    try:
        return ast.parse(plain)
    except SyntaxError as error:
        raise ValueError(f"{notebook.name}, cell {number}, line {error.lineno}: {error.msg}.") from error


def check_parameters(notebook: Path, parameters: Iterable[str]) -> None:
    """Refuse parameters that would have no effect: papermill only warns, and then runs at full scale.

    Raises
        ValueError: a name that the `parameters` cell does not define, or that no other code cell reads.
    """
    defined, used = takes(notebook)
    for name in parameters:
        if name not in defined:
            raise ValueError(
                f"{notebook.name}: the parameter {name} is not defined in the notebook's cell tagged `parameters`. "
                f"Add a line `{name} = ...` there, or take it out of profiles.toml."
            )
        if name not in used:
            raise ValueError(
                f"{notebook.name}: the parameter {name} is never read by the notebook's other code cells. "
                f"Use it there, or take it out of the `parameters` cell and of profiles.toml."
            )


def defaults(notebook: Path) -> dict[str, object]:
    """The values that the cell tagged `parameters` gives to its names."""
    tagged = [c["source"] for c in read(notebook) if "parameters" in c["metadata"].get("tags", [])]
    lines = [node for source in tagged[:1] for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {target.id: ast.literal_eval(line.value) for line in lines for target in line.targets}


def check_types(notebook: Path, parameters: dict[str, object]) -> None:
    """Refuse a value of another type than the notebook's own, such as a word for a number.

    Raises
        ValueError: names the parameter, its value and the notebook's.
    """
    for name, default in defaults(notebook).items():
        value = parameters.get(name, default)
        same = isinstance(value, type(default)) or (isinstance(default, float) and isinstance(value, int))
        if not same or isinstance(value, bool) != isinstance(default, bool):
            raise ValueError(f"{name}={value!r}: {notebook.name} has {name} = {default!r}. Give a value of that kind.")
