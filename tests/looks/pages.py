"""A built book as a browser shows it: each page in light, in dark and on a phone, and what is wrong with it."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from looks import figures
from looks.browser import Tab

LOOK = Path(__file__).with_name("look.js")
SMALLEST = 9  # CSS pixels of type as shown
LONGEST = 12  # screens of an article, its folds closed
LOOKED_UP = ("book/api",)  # searched for a name and not read through: as long as it must be
MADE_BY_SPHINX = ("search",)
QUERIES = {"search": "?q=cosine"}


class Mode(NamedTuple):
    width: int
    height: int
    scheme: str
    phone: bool


MODES = {
    "light": Mode(1280, 900, "light", False),
    "dark": Mode(1280, 900, "dark", False),
    "phone": Mode(390, 844, "light", True),
}
SCREEN = Mode(1500, 1000, "light", False)
HEIGHT = """(async () => {
  await document.fonts.ready;
  await window.MathJax?.startup?.promise;
  return (document.querySelector("main article") ?? document.body).getBoundingClientRect().height;
})()"""
ACCESSIBILITY = (
    "contrast",
    "link by colour",
    "alt text",
    "names",
    "language",
    "title",
    "landmarks",
    "zoom",
    "headings",
)
ACCESSIBILITY += ("ids", "order", "lists", "table heads")
OTHERS = ("console", "overflow", "small type", "links", "contents", "empty", "maths", "markup", "raw output")
OTHERS += ("index column", "precision", "length")
CHECKS = ACCESSIBILITY + OTHERS


class Finding(NamedTuple):
    page: str  # its path in the book, without .html
    check: str  # of `CHECKS`
    mode: str
    what: str


def look(tab: Tab, site: Path, page: str, contents: Iterable[str] | None = None) -> Iterator[Finding]:
    """What is wrong with one page, in each of `MODES`; its side bar must list the pages `contents`, where given."""
    script = LOOK.read_text(encoding="utf-8")
    tab.open((site / f"{page}.html").as_uri() + QUERIES.get(page, ""))
    if page not in LOOKED_UP and (screens := length(tab)) > LONGEST:  # before the script opens the folds
        yield Finding(page, "length", "light", f"{screens:.1f} screens with its folds closed, not {LONGEST}")
    for mode, window in MODES.items():  # a page follows its window and its reader's system without being loaded again
        tab.show(*window)
        seen = tab.run(f"({script})({window.width})")
        found = [*map(tuple, seen["found"]), *(("small type", line) for line in map(small, seen["images"]) if line)]
        if mode == "light":  # the same in all
            found += [("links", line) for line in dead(seen["links"])]
            found += [("contents", line) for line in unlisted(seen["contents"], site, contents)]
        yield from (Finding(page, check, mode, what) for check, what in found)
    yield from (Finding(page, "console", "all", line) for line in tab.errors())


def length(tab: Tab) -> float:
    """How many screens the article of the open page takes."""
    tab.show(*SCREEN)
    return tab.run(HEIGHT) / SCREEN.height


def small(image: dict) -> str | None:
    """A line on a figure whose type is smaller than `SMALLEST` at the width that it is shown with."""
    path = _path(image["src"])
    if path is None or not image["natural"] or (size := figures.type_size(path)) is None:
        return None
    shown = size * image["width"] / image["natural"]
    return f"{path.name} has type of {shown:.1f} px as shown" if shown < SMALLEST - 0.05 else None


def dead(links: Iterable[str]) -> Iterator[str]:
    """Links to files of the book that are not there, or to places that their page does not have."""
    for link in links:
        address, place = urldefrag(link)
        if (path := _path(address)) is None:
            continue
        if not path.is_file():
            yield f"{path.name} is not there"
        elif place and path.suffix == ".html" and unquote(place) not in anchors(path):
            yield f"{path.name} has no place #{place}"


def unlisted(links: Iterable[str], site: Path, contents: Iterable[str] | None) -> Iterator[str]:
    """Pages that the side bar should list and does not."""
    listed = {_path(urldefrag(link)[0]) for link in links}
    for page in contents or ():
        if (site / f"{page}.html").resolve() not in listed:
            yield f"{page} is not in the side bar"


def lost(site: Path, contents: Iterable[str]) -> list[Finding]:
    """Pages of the table of contents that were not built, and built ones that are in no table of contents."""
    built = {path.relative_to(site).with_suffix("").as_posix() for path in site.glob("[!_]*/*.html")}
    said = dict.fromkeys(set(contents) - built, "was not built")
    said |= dict.fromkeys(built - set(contents), "is in no table of contents")
    return [Finding(page, "contents", "all", what) for page, what in sorted(said.items())]


@cache
def anchors(path: Path) -> frozenset[str]:
    """The places of a page that a link can name."""
    return frozenset(re.findall(r'\b(?:id|name)="([^"]+)"', path.read_text(encoding="utf-8")))


def _path(address: str) -> Path | None:
    parts = urlsplit(address)
    return Path(unquote(parts.path)).resolve() if parts.scheme == "file" else None
