"""Notebooks, rooms and tests that belong together by name: `nox -s lint` fails where one of them is missing.

The notebook `NN_id_title.ipynb` has the room `chapters/id.py` and the tests `chapters/test_id.py`, or folders called
`id`. It imports no other room of `chapters`.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from ..base.files import repository_root
from . import cells
from .profiles import notebook_id

CHAPTERS = "decondense.chapters"


def strays(root: Path) -> Iterator[str]:
    """One line for each notebook, room or test of the repository `root` that lacks its others, or uses another's."""
    notebooks = {notebook_id(path): path for path in sorted((root / "notebooks").glob("*.ipynb"))}
    rooms = _names(root / "src" / "decondense" / "chapters")
    tests = _names(root / "tests" / "chapters", "test_")
    for name, path in notebooks.items():
        if name not in rooms:
            yield f"notebooks/{path.name} has no room: src/decondense/chapters/{name}.py"
        if others := sorted(_rooms_used(path) - {name}):
            yield f"notebooks/{path.name} imports {', '.join(others)} of {CHAPTERS}: its own room is {name}"
    for name in sorted(rooms):
        if name not in notebooks:
            yield f"src/decondense/chapters/{name} has no notebook: notebooks/NN_{name}_title.ipynb"
        if name not in tests:
            yield f"src/decondense/chapters/{name} has no tests: tests/chapters/test_{name}.py"
    for name in sorted(tests - rooms):
        yield f"tests/chapters has tests of {name}, which is no room"


def _names(folder: Path, prefix: str = "") -> set[str]:
    """Modules in a folder and folders of modules, without the prefix of their files."""
    modules = {path.stem.removeprefix(prefix) for path in folder.glob(f"{prefix}*.py") if path.stem != "__init__"}
    return modules | {path.parent.name for path in folder.glob(f"*/{prefix}*.py")}


def _rooms_used(notebook: Path) -> set[str]:
    """Names of rooms that the code cells import."""
    used = set()
    for number, cell in enumerate(cells.read(notebook)):
        tree = cells.parse(notebook, number, cell["source"]) if cell["cell_type"] == "code" else ast.Module([], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(CHAPTERS):
                inside = node.module.removeprefix(CHAPTERS).split(".")[1:2]
                used |= set(inside or [alias.name for alias in node.names])
    return used


def main() -> int:
    """Print what is out of place. Returns the exit status."""
    found = list(strays(repository_root()))
    print("\n".join(found) or "Every notebook has its room and its tests.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
