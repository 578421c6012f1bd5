"""The ways through the book (contents.toml): its table of contents, and the doors of the first page."""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .profiles import notebook_id

ROOT = "book/intro"


@cache
def table() -> dict[str, dict]:
    """`parts`: caption -> pages, in the order of reading; `doors`: name of a way -> what the first page says of it."""
    return tomllib.loads((Path(__file__).parent / "contents.toml").read_text(encoding="utf-8"))


def texts(way: str) -> list[str]:
    """Names of the text pages of a way: `install` of `book/install`."""
    pages = [page for part, pages in table()["parts"].items() if part.startswith(way) for page in pages]
    return [page.removeprefix("book/") for page in pages if page.startswith("book/")]


def parts(notebooks: Iterable[str]) -> dict[str, list[str]]:
    """The files of each part, `book/NAME` or `notebooks/NAME` without suffixes; a part that has none is left out.

    notebooks
        Names such as `02_fig2_model_families`. One that is not listed comes behind the one before it in number, and a
        listed one that is not among them is left out.
    """
    names = {notebook_id(name): name for name in sorted(notebooks)}
    listed = {part: list(pages) for part, pages in table()["parts"].items()}
    before = None
    for short in names:
        if not any(short in pages for pages in listed.values()):
            part = next((pages for pages in listed.values() if before in pages), next(reversed(listed.values())))
            part.insert(part.index(before) + 1 if before in part else 0, short)
        before = short
    there = lambda page: page.startswith("book/") or page in names
    file = lambda page: page if page.startswith("book/") else f"notebooks/{names[page]}"
    found = {part: [file(page) for page in pages if there(page)] for part, pages in listed.items()}
    return {part: files for part, files in found.items() if files}


def toc(notebooks: Iterable[str]) -> dict:
    """The table of contents of jupyter-book; `notebooks` as for `parts`."""
    chapters = [
        {"caption": part, "chapters": [{"file": file} for file in files]} for part, files in parts(notebooks).items()
    ]
    return {"format": "jb-book", "root": ROOT, "parts": chapters}


def doors(notebooks: Iterable[str]) -> str:
    """The ways as cards, in Markdown: what each is for, and its pages in order. `notebooks` as for `parts`."""
    files, cards = parts(notebooks), []
    for way, said in table()["doors"].items():
        found = {part: pages for part, pages in files.items() if part.startswith(way)}
        lines = [f"**{part.removeprefix(f'{way}: ')}** {_steps(pages)}" for part, pages in found.items()]
        lines = lines if len(found) > 1 else [_steps(pages) for pages in found.values()]
        cards += [f":::{{grid-item-card}} {way}", said, "", "\n\n".join(lines), ":::"]
    return "\n".join(["::::{grid} 1", ":gutter: 2", ":class-container: doors", "", *cards, "::::"])


def _steps(pages: Iterable[str]) -> str:
    return " → ".join(f"[](../{page}.{'ipynb' if page.startswith('notebooks/') else 'md'})" for page in pages)
