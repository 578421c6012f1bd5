"""What a page of the book folds away: cells whose tag says that they are no part of the story.

A notebook tags such a cell by what it is; in Jupyter and Colab nothing is hidden. A cell tagged `details` says in its
metadata, under `fold`, what is in it.
"""

import nbformat

FOLDED = {  # tag -> what the closed cell is called
    "parameters": "settings",
    "injected-parameters": "settings of this run",
    "imports": "imports",
    "plan": "the plan of the runs",
    "power": "what the design can see",
    "origin": "where the runs come from",
    "check": "the check run",
    "details": "details",
}


def fold(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Fold a code cell with its output where one of its tags is in `FOLDED`, in place, and return it."""
    tags = cell.metadata.get("tags", [])
    if cell.cell_type == "code" and (
        found := [cell.metadata.get("fold", FOLDED[tag]) for tag in tags if tag in FOLDED]
    ):
        cell.metadata["tags"] = [*tags, "hide-cell"]
        cell.metadata["mystnb"] = cell.metadata.get("mystnb", {}) | {
            "code_prompt_show": f"Show {found[0]}",
            "code_prompt_hide": f"Hide {found[0]}",
        }
    return cell
