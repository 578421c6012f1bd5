"""Executed pages that the repository keeps (`decondense keep`): a book can be shown before any notebook has run.

A file `book/executed/NN_id_title.json.gz` has the outputs of a notebook's code cells, and the hash of that code. Prose
and captions are the notebook's own, of today; when its code has changed since, the outputs no longer belong to it.
"""

import gzip
import json
from pathlib import Path

import nbformat

from ..base.files import sha256, write_atomically

FOLDER = Path("book", "executed")  # of the repository
INJECTED, COLAB = "injected-parameters", "colab"  # tags: parameters of the run; a cell without a result


def write(root: Path, name: str, executed: nbformat.NotebookNode, stamp: dict, profile: str) -> Path:
    """Keep the outputs of the executed notebook `name`, which must be clean, with when and how long it ran.

    stamp
        What the runner noted (`execute.read_stamp`).
    """
    injected = [cell.source for cell in executed.cells if INJECTED in _tags(cell)]
    about = {key: stamp[key] for key in ("seconds", "utc", "versions")}
    content = {"profile": profile, "code": code(executed), **about, "injected": injected}
    content["outputs"] = [cell.outputs for cell in _own(executed)]
    packed = gzip.compress(json.dumps(content, sort_keys=True).encode(), mtime=0)  # the same content, the same file
    return write_atomically(root / FOLDER / f"{name}.json.gz", packed)


def read(root: Path, name: str) -> dict | None:
    """What is kept of the notebook `name`; `None` where there is nothing, or nothing of its present code."""
    content = _content(root, name)
    if content is None or content["code"] != code(_source(root, name)):
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
    content, notebook = read(root, name), _source(root, name)
    if content is None:
        raise ValueError(f"Nothing is kept of {name} as it is now. Run it, then `decondense keep`.")
    outputs = iter(content["outputs"])
    for cell in _own(notebook):
        cell.outputs = [nbformat.from_dict(output) for output in next(outputs)]
        if "parameters" in _tags(cell):
            place = notebook.cells.index(cell) + 1
            notebook.cells[place:place] = [_injected(source) for source in content["injected"]]
    return notebook


def code(notebook: nbformat.NotebookNode) -> str:
    """The hash of the code that the outputs are of: all code cells but those for Colab and of the runner."""
    return sha256(json.dumps([cell.source for cell in _own(notebook)]))


def _own(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and not _tags(cell) & {INJECTED, COLAB}]


def _injected(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED]}, id=INJECTED)


def _tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _source(root: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)


def _content(root: Path, name: str) -> dict | None:
    path = root / FOLDER / f"{name}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else None
