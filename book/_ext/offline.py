"""A book that needs no network: MathJax beside the pages, no script that no page uses, and a check of the result."""

from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from re import findall
from shutil import copy2, copytree

from sphinx.util import logging

# The whole MathJax is 24 MB; a page needs the TeX reader with its HTML writer, and the writer's fonts: 2 MB.
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
# A browser fetches a <link> by itself unless it only says how pages are related.
PASSIVE_LINKS = {"alternate", "author", "canonical", "help", "index", "license", "next", "prev", "search"}
CSS_LOAD = r"""(?:@import\s+(?:url\()?|url\()\s*["']?\s*((?:https?:)?//[^"')\s;]+)"""


def copy_mathjax(site: Path) -> None:
    """Put MathJax where `mathjax_path` in _config.yml points to."""
    source = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static", "mathjax")
    for name in MATHJAX:
        target = site / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            copytree(source / name, target, dirs_exist_ok=True)
        else:
            copy2(source / name, target)


def drop_thebe(app, pagename, templatename, context, doctree) -> None:
    """jupyter-book always includes Thebe (live code from a CDN), whose script fails on every page when it is off."""
    context["script_files"] = [s for s in context["script_files"] if not _is_thebe(s)]


def _is_thebe(script) -> bool:
    body = getattr(script, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(script, "filename", script)) or "THEBE" in body


class Loads(HTMLParser):
    """Collects the addresses that a browser fetches when it opens a page; links that wait for a click are not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") not in PASSIVE_LINKS:
            self.found.append(values.get("href", ""))
        self.found += [values[name] for name in ("src", "data", "poster") if name in values]
        self.found += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
        self.found += findall(CSS_LOAD, values.get("style", ""))

    def handle_data(self, data) -> None:
        # Text between tags is prose, except within <style>, where the parser hands it over raw.
        if self.cdata_elem == "style":
            self.found += findall(CSS_LOAD, data)


def loads(path: Path) -> list[str]:
    """The addresses in one HTML or CSS file that a browser fetches by itself."""
    text = path.read_text(errors="replace")
    if path.suffix == ".css":
        return findall(CSS_LOAD, text)
    parser = Loads()
    parser.feed(text)
    return parser.found


def external_requests(site: Path) -> list[str]:
    """`page: address` for everything that opening a page of `site` would fetch from another host."""
    return [
        f"{path.relative_to(site)}: {address}"
        for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")])
        for address in loads(path)
        if address.startswith(("http://", "https://", "//"))
    ]


def finish(app, error) -> None:
    """After the build: MathJax, and the promise kept that no page needs the network."""
    if error is not None:
        return
    copy_mathjax(Path(app.outdir))
    for found in external_requests(Path(app.outdir)):
        logging.getLogger(__name__).warning("would be loaded from the network, remove it: %s", found)


def setup(app):
    app.connect("build-finished", finish)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
