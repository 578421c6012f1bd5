"""Which run a page of the book shows, said at its top: the committed run, this run, or an older one."""

import re
from html import escape
from typing import NamedTuple

import nbformat

from .profiles import notebook_id
from .scorecard import COMMITTED, Page


class Run(NamedTuple):
    """A run that goes on: when it began (UTC, ISO 8601), and the ids of the notebooks that it has yet to finish."""

    begun: str
    waiting: frozenset[str]


def marked(notebook: nbformat.NotebookNode, page: Page, profile: str, run: Run | None) -> nbformat.NotebookNode:
    """The notebook with one line below its title that says which run it shows, in place."""
    waits = run is not None and notebook_id(page.name) in run.waiting
    line = _line(page, profile, to_come(run) if waits else "")
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (title := re.match(r"#[^\n]*\n?", cell.source)):
            cell.source = f"{title[0].rstrip()}\n\n{line}\n\n{cell.source[title.end() :].lstrip()}".rstrip()
            return notebook
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(line, id="shown"))
    return notebook


def to_come(run: Run) -> str:
    """That the page is not yet that of the run that goes on; it may have been stopped since."""
    return f"The run begun {minute(run.begun)} has yet to execute this notebook; the page is replaced when it has."


def provenance(page: Page, profile: str) -> str:
    """One line for the end of a page: profile, when, how long, versions, and the command that makes it again."""
    versions = ", ".join(f"{name} {version}" for name, version in page.stamp["versions"].items())
    return (
        f'<p class="provenance">Executed in the profile <code>{profile}</code>, '
        f"{minute(page.stamp['utc'])}, in {page.stamp['seconds']:.1f} s, with {escape(versions)}. "
        f"Make it again: <code>{remake(page, profile)}</code></p>"
    )


def remake(page: Page, profile: str) -> str:
    """The command that executes this notebook again."""
    return f"nox -s reproduce -- --profile {profile} --only {notebook_id(page.name)} --fresh"


def minute(utc: str) -> str:
    """A time in UTC as the book writes it."""
    return f"{utc[:16].replace('T', ' ')} UTC"


def _line(page: Page, profile: str, to_come: str) -> str:
    when = minute(page.stamp["utc"])
    if page.state == COMMITTED:
        said = f"Shown is the committed run of {when} (profile <code>{page.stamp['profile']}</code>)."
        rest = to_come or "This notebook was not executed in the run that made this book."
    else:
        said = f"Shown is {'an earlier' if to_come else 'this'} run, of {when} (profile <code>{profile}</code>)."
        rest = to_come
    return f'<p class="shown">{said} {rest}'.rstrip() + "</p>"
