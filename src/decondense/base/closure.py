"""The code that a module depends on: every module of this package that it imports, however far away."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from .files import sha256

SOURCE = Path(__file__).parents[2]  # the folder that holds the package
TABLES = (".csv", ".toml")  # data that a module reads from its own folder
DRAWING = "plots"  # the room that draws what was measured, and decides no number


def files(module: str, source: Path = SOURCE) -> list[Path]:
    """The files behind `module` ("decondense.losses"): its import closure inside its package, and the tables beside.

    Imports inside functions count, and so does the `__init__.py` of every package on the way. Excluded are names that
    are only known when the code runs (`importlib.import_module`), and the room `plots`: a result draws itself, but a
    new colour is no reason to measure again.

    Raises
        ModuleNotFoundError: there is no such module under `source`.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _path(name, source)
        if path is None and name == module:
            raise ModuleNotFoundError(f"There is no module {name} in {source}.")
        if path is None or name in found or (name.split(".")[1:2] == [DRAWING] and name != module):
            continue
        found[name] = path
        waiting += _imported(name, path)
    tables = {table for path in found.values() for table in path.parent.iterdir() if table.suffix in TABLES}
    return sorted({*found.values(), *tables})


@cache
def fingerprint(module: str, source: Path = SOURCE) -> str:
    """SHA-256 of what `files` names; docstrings, comments and the layout of the code make no difference."""
    parts = (f"{path.relative_to(source).as_posix()}\n{_content(path)}" for path in files(module, source))
    return sha256("\0".join(parts))


def _path(name: str, source: Path) -> Path | None:
    base = source.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imported(name: str, path: Path) -> Iterator[str]:
    """Names of modules that a module may import, with the packages that hold them; some of them are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            targets = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == name.split(".")[0]:
                parts = target.split(".")
                yield from (".".join(parts[: length + 1]) for length in range(len(parts)))


def _content(path: Path) -> str:
    if path.suffix in TABLES:
        return path.read_text(encoding="utf-8")
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body[:1] = []
    return ast.unparse(tree)
