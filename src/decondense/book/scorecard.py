"""The scorecard pages of the book: the verdicts of all notebooks, made by code from the files that they wrote."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

from ..base.errors import unknown
from ..bench import RECORDS as BENCHMARKS
from ..paper.claims import COLUMNS, EXPERIMENT, OWN, TALLIES, badge, cells
from ..paper.verdicts import BADGES, REPRODUCED
from ..stats import ALPHA
from . import headlines, tables
from .profiles import about, notebook_id

COMMITTED = "committed run"  # the state of a page that shows what the repository keeps of it
WAITING = "waiting"  # of one that the run that goes on has yet to execute, and that shows nothing
AGAIN = "repeats another"  # the kind of a row that no tally counts


class Page(NamedTuple):
    """A notebook of the repository and what became of it in this run."""

    source: Path  # notebooks/NN_id_title.ipynb
    executed: Path  # build/<profile>/notebooks/NN_id_title.ipynb, absent when it was not executed
    stamp: dict  # what the runner noted about a success: seconds, utc, versions; empty otherwise
    told: str = ""  # a state that the files do not tell: COMMITTED, WAITING

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def state(self) -> str:
        if self.told:
            return self.told
        if not self.executed.exists():
            return "not executed"
        return "done" if self.stamp else "failed"


def read_verdicts(pages: Iterable[Page], records: Path) -> dict[str, dict]:
    """Verdict files by notebook name, of the notebooks that are done: a file left by an older run does not count."""
    verdicts = {}
    for page in pages:
        path = records / f"verdicts-{notebook_id(page.name)}.json"
        if page.state == "done" and path.exists():
            verdicts[page.name] = json.loads(path.read_text(encoding="utf-8"))
            for claim in verdicts[page.name]["claims"]:
                if claim["verdict"] not in BADGES:
                    raise unknown(f"verdict in {path.name}:", claim["verdict"], BADGES)
    return verdicts


def read_committed(folder: Path) -> dict[str, dict]:
    """Verdict files that the repository keeps (`keep`), by notebook name; empty where there are none."""
    return dict(sorted(_by_notebook(folder.glob("verdicts-*.json")).items()))


def keep(records: Path, committed: Path) -> list[Path]:
    """Copy the verdict files of a run, with the records that they name and their arrays, to the committed results.

    What the folder `committed` held before of these pages is replaced; pages that did not run (`--only`) stay as they
    were, and so do the records of `nox -s bench`. Returns its files.

    Raises
        FileNotFoundError: there is no verdict file, or a record is gone.
    """
    files = sorted(records.glob("verdicts-*.json"))
    if not files:
        raise FileNotFoundError(f"No verdict under {records}. Run `nox -s reproduce` first.")
    beside = committed.with_name(f".{committed.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    others = [path for path in committed.glob("verdicts-*.json") if path.name not in {file.name for file in files}]
    copy_records(_by_notebook(others), committed, beside, arrays=True)
    copy_records(_by_notebook(files), records, beside, arrays=True)
    for path in [*files, *others, *committed.glob(BENCHMARKS)]:
        shutil.copyfile(path, beside / path.name)
    shutil.rmtree(committed, ignore_errors=True)  # only now that the new results are whole
    beside.rename(committed)
    return sorted(committed.iterdir())


def _by_notebook(files: Iterable[Path]) -> dict[str, dict]:
    read = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return {file["notebook"]: file for file in read}


def scorecard(profile: str, pages: list[Page], verdicts: dict[str, dict], committed: dict[str, dict]) -> str:
    """The scorecard page: the paper in seven claims, verdicts counted, all claims of this run, their records."""
    states = Counter(page.state for page in pages)
    always = ("done", "failed", "not executed")
    run = ", ".join(f"{states[s]} {s}" for s in (*always, COMMITTED, WAITING) if s in always or states[s])
    lines = [
        "# Scorecard",
        f"This run is in the profile `{profile}`. {about(profile)} "
        "How a verdict is decided is in [how the numbers are made](how_the_numbers_are_made.md).",
        "## The paper in seven claims",
        headlines.shown(verdicts, committed),
        "## All claims, counted",
        _summary(verdicts),
        f"Notebooks: {run}." + _absent(pages),
        "To compare with: [the committed run](committed_run.md).",
    ]
    return "\n\n".join([*lines, *_claims(verdicts), *behind(verdicts, "records")]) + "\n"


def _absent(pages: list[Page]) -> str:
    """The notebooks without a result of this run, by what became of them."""
    named: dict[str, list[str]] = {}
    for page in pages:
        named.setdefault(page.state, []).append(f"[](../notebooks/{page.source.name})")
    return "".join(f" {state.capitalize()}: {'; '.join(named[state])}." for state in named if state != "done")


def _summary(verdicts: dict[str, dict]) -> str:
    """The three tallies, each with its verdicts; never one number over all of them."""
    rows = []
    for kind, what in TALLIES.items():
        counts = Counter(claim["verdict"] for claim in counted(verdicts.values(), kind))
        badges = " ".join(f"{badge(verdict)} {counts[verdict]}&ensp;" for verdict in BADGES if counts[verdict])
        rows.append(tables.row((escape(what), badges or "none", counts.total())))
    return "\n\n".join([tables.table("summary", ("", "verdicts", "claims"), rows), _chance(verdicts)])


def counted(files: Iterable[dict], kind: str) -> list[dict]:
    """The claims of a tally: of those that repeat another none."""
    return [claim for file in files for claim in file["claims"] if claim["kind"] == kind and not claim["repeats"]]


def _chance(verdicts: dict[str, dict]) -> str:
    """What chance alone would give: each page with tests is one family, at `ALPHA`."""
    pages = sum(any(claim["tests"] for claim in counted([file], EXPERIMENT)) for file in verdicts.values())
    found = Counter(claim["verdict"] for claim in counted(verdicts.values(), EXPERIMENT))
    again = sum(bool(claim["repeats"]) for file in verdicts.values() for claim in file["claims"])
    return (
        f"If none of the paper's effects existed, chance alone would give "
        f'"{REPRODUCED}" on at most {pages * ALPHA:.2g} of the {pages} pages with tests of experiments '
        f"(Holm's correction, {ALPHA:.0%} a page); here are {found[REPRODUCED]}. "
        f"Not counted: {again} rows that repeat another claim or follow from it."
    )


def _claims(verdicts: dict[str, dict]) -> list[str]:
    """Every claim as a row, below the choices of verdict, page and kind."""
    if not verdicts:
        return []
    rows = [_row(claim, name) for name, file in verdicts.items() for claim in file["claims"]]
    choices = {"verdict": list(BADGES), "page": list(map(notebook_id, verdicts)), "kind": [*TALLIES, AGAIN]}
    return [
        "## Claim by claim",
        tables.filters("claims", choices, {"kind": EXPERIMENT}),
        tables.table("claims", COLUMNS, rows),
    ]


def _row(claim: dict, notebook: str) -> str:
    verdict, said, *rest = cells(claim)
    short, kind = notebook_id(notebook), AGAIN if claim["repeats"] else claim["kind"]
    link = f'<small> · <a href="../notebooks/{notebook}.html">{short}</a></small>'
    return tables.row((verdict, said + link, *rest), verdict=claim["verdict"], page=short, kind=kind)


def behind(verdicts: dict[str, dict], folder: str) -> list[str]:
    """The section of the records behind each page: its verdicts by tally, and links into a folder of the site."""
    if not verdicts:
        return []
    rows = []
    for name, file in verdicts.items():
        sources = ", ".join(dict.fromkeys(escape(c["source"]) for c in file["claims"] if c["kind"] != OWN))
        link = f'<a href="../notebooks/{name}.html">{name}</a><br><small>{sources}</small>'
        rows.append(
            tables.row((link, *(_badges(counted([file], kind)) for kind in TALLIES), _records_list(file, folder)))
        )
    return ["## Page by page, with the records", tables.table("overview", ("notebook", *TALLIES, "records"), rows)]


def _badges(claims: list[dict]) -> str:
    counts = Counter(claim["verdict"] for claim in claims)
    return " ".join(badge(verdict, counts[verdict]) for verdict in BADGES if counts[verdict])


def _records_list(file: dict, folder: str) -> str:
    links = [f'<a href="../{folder}/{escape(r)}">{escape(r)}</a>' for r in file.get("records", [])]
    return f"<details><summary>{len(links)}</summary>{'<br>'.join(links)}</details>" if links else ""


def copy_records(verdicts: dict[str, dict], source: Path, target: Path, arrays: bool = False) -> None:
    """Copy the records that verdict files name from one folder to another, with their arrays when asked.

    Raises
        FileNotFoundError: a record is gone; the message says how to make it again.
    """
    target.mkdir(parents=True, exist_ok=True)
    for notebook, file in verdicts.items():
        for name in file.get("records", []):
            found = source / name
            if not found.exists():
                raise FileNotFoundError(
                    f"The verdicts of {notebook} name the record {name}, which is gone. "
                    f"Run `nox -s reproduce -- --only {notebook_id(notebook)} --fresh`."
                )
            shutil.copyfile(found, target / name)
            beside = json.loads(found.read_text(encoding="utf-8")).get("arrays")
            if arrays and beside:
                shutil.copyfile(source / beside["file"], target / beside["file"])
