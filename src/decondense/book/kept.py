"""Executed pages that the repository keeps (`decondense keep`): a book can be shown before any notebook has run.

A file `book/executed/NN_id_title.json.gz` has the outputs of a notebook's code cells, and the hash of that code. Prose
and captions are the notebook's own, of today; when its code has changed since, the outputs no longer belong to it.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat

from ..base.files import sha256, write_atomically
from . import cells

FOLDER = Path("book", "executed")  # of the repository
INJECTED, COLAB = "injected-parameters", "colab"  # tags: parameters of the run; a cell without a result


def write(root: Path, name: str, executed: nbformat.NotebookNode, stamp: dict, profile: str) -> Path:
    """Keep the outputs of the executed notebook `name`, which must be clean, with when and how long it ran.

    stamp
        What the runner noted (`execute.read_stamp`).
    """
    injected = [cell.source for cell in executed.cells if INJECTED in _tags(cell)]
    about = {key: stamp[key] for key in ("seconds", "utc", "versions")}
    content = {"profile": profile, "code": code(executed.cells), **about, "injected": injected}
    content["outputs"] = [cell.outputs for cell in _own(executed.cells)]
    packed = gzip.compress(json.dumps(content, sort_keys=True).encode(), mtime=0)  # the same content, the same file
    return write_atomically(root / FOLDER / f"{name}.json.gz", packed)


def read(root: Path, name: str) -> dict | None:
    """What is kept of the notebook `name`; `None` where there is nothing, or nothing of its present code."""
    content = _content(root, name)
    if content is None or content["code"] != code(cells.read(_source(root, name))):
        return None
    return content


def stale(root: Path) -> list[str]:
    """The notebooks whose kept outputs are of other code than they have now."""
    names = sorted(path.stem for path in (root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [name for name in names if _content(root, name) and read(root, name) is None]


def executed(root: Path, name: str) -> nbformat.NotebookNode:
    """The notebook `name` of the repository with the outputs that are kept of it.

    Raises
        ValueError: none are kept, or they are of other code.
    """
    content = read(root, name)
    if content is None:
        raise ValueError(f"Nothing is kept of {name} as it is now. Run it, then `decondense keep`.")
    notebook = nbformat.read(_source(root, name), as_version=4)
    outputs = iter(content["outputs"])
    for cell in _own(notebook.cells):
        cell.outputs = [nbformat.from_dict(output) for output in next(outputs)]
        if "parameters" in _tags(cell):
            place = notebook.cells.index(cell) + 1
            notebook.cells[place:place] = [_injected(source) for source in content["injected"]]
    return notebook


def code(notebook: Iterable[Mapping]) -> str:
    """The hash of the code that the outputs are of: all code cells but those for Colab and of the runner."""
    return sha256(json.dumps([cell["source"] for cell in _own(notebook)]))


def _own(notebook: Iterable[Mapping]) -> list[Mapping]:
    return [cell for cell in notebook if cell["cell_type"] == "code" and not _tags(cell) & {INJECTED, COLAB}]


def _injected(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED]}, id=INJECTED)


def _tags(cell: Mapping) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def _source(root: Path, name: str) -> Path:
    return root / "notebooks" / f"{name}.ipynb"


def _content(root: Path, name: str) -> dict | None:
    path = root / FOLDER / f"{name}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else None
