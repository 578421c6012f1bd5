"""Every page of a built book in Chromium: `nox -s looks -- --profile ci`; fails where anything is wrong with one."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from looks import browser, pages
from looks.pages import ACCESSIBILITY, CHECKS, MODES, Finding

from decondense.base.files import repository_root
from decondense.book.profiles import PROFILES

NO_BROWSER = "Skipped, no page was looked at: no Chromium on the PATH, and DECONDENSE_CHROMIUM names none."
GOAL = 0.95  # of the checks on accessibility, on each page


def contents(built: Path, notebooks: Path) -> list[str]:
    """The pages that a book was to have, by the table of contents beside it, and all notebooks."""
    table = yaml.safe_load((built / "staging" / "_toc.yml").read_text(encoding="utf-8"))
    listed = [table["root"], *(chapter["file"] for part in table["parts"] for chapter in part["chapters"])]
    every = [f"notebooks/{path.stem}" for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb"))]
    return [*listed, *(page for page in every if page not in listed)]


def score(found: Sequence[Finding], page: str) -> float:
    """The share of the checks on accessibility that a page passes, in every mode, in [0, 1]."""
    failed = {finding.check for finding in found if finding.page == page} & set(ACCESSIBILITY)
    return 1 - len(failed) / len(ACCESSIBILITY)


def table(found: Sequence[Finding], names: Sequence[str]) -> str:
    """One line per page: its score, and how often each check failed, where it did."""
    count = Counter((page, check) for page, check, _ in {(f.page, f.check, f.what) for f in found})
    checks = [check for check in CHECKS if any((page, check) in count for page in names)]
    wide = max(map(len, names))
    rows = [f"{'page':{wide}}  score  " + "  ".join(checks)]
    for page in names:
        cells = (f"{count[page, check] or '.':>{len(check)}}" for check in checks)
        rows.append(f"{page:{wide}}  {score(found, page):5.0%}  " + "  ".join(cells))
    return "\n".join(rows)


def details(found: Sequence[Finding]) -> str:
    """Each finding once, with the modes that show it."""
    modes: dict[tuple[str, str, str], list[str]] = {}
    for finding in found:
        modes.setdefault((finding.page, finding.check, finding.what), []).append(finding.mode)
    lines = (f"{page}: {check} ({', '.join(dict.fromkeys(of))}): {what}" for (page, check, what), of in modes.items())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at a book. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="nox -s looks --", description=__doc__)
    parser.add_argument("--profile", default="laptop", choices=PROFILES, help="its book under build/")
    parser.add_argument("--only", default="", help="pages whose path holds this")
    given = parser.parse_args(arguments)
    root = repository_root()
    site = root / "build" / given.profile / "book"
    if not site.is_dir():
        sys.exit(f"No book under {site}: `nox -s reproduce -- --profile {given.profile}` builds it.")
    if (command := browser.find()) is None:
        print(NO_BROWSER)
        return 0
    listed = contents(site.parent, root / "notebooks")
    names = [
        page for page in (*listed, *pages.MADE_BY_SPHINX) if given.only in page and (site / f"{page}.html").exists()
    ]
    found = [finding for finding in pages.lost(site, listed) if given.only in finding.page]
    with browser.tab(command) as tab:
        for number, page in enumerate(names, start=1):
            found += (seen := list(pages.look(tab, site, page, listed)))
            print(f"[{number}/{len(names)}] {page}: {len(seen) or 'no'} findings", flush=True)
    return report(found, names, len(listed))


def report(found: Sequence[Finding], names: Sequence[str], listed: int) -> int:
    """Print what was found. Returns the exit status: 1 if anything was."""
    print(details(found), table(found, names), sep="\n\n")
    number = len({(finding.page, finding.check, finding.what) for finding in found})
    below = [page for page in names if score(found, page) < GOAL]
    looked = f"{len(names)} pages ({listed} in the table of contents), each in {', '.join(MODES)}"
    print(f"\n{looked}: {number} findings;")
    print(f"{len(below)} pages below {GOAL:.0%} of the checks on accessibility.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
