"""The scorecard page of the book: the verdicts of all notebooks, made by code from the files that they wrote."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

from .errors import unknown
from .profiles import about, notebook_id
from .verdicts import BADGES

BENCH = "bench-*.json"  # records of `nox -s bench`, which no notebook names
OWN = "this book"  # source of a claim that is not the paper's
CLAIM_COLUMNS = ("claim", "source", "published", "here", "tolerance", "verdict")


class Page(NamedTuple):
    """A notebook of the repository and what became of it in this run."""

    source: Path  # notebooks/NN_id_title.ipynb
    executed: Path  # build/<profile>/notebooks/NN_id_title.ipynb, absent when it was not executed
    stamp: dict  # what the runner noted about a success: seconds, utc, versions; empty otherwise

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def state(self) -> str:
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
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("verdicts-*.json"))]
    return {file["notebook"]: file for file in sorted(files, key=lambda file: file["notebook"])}


def keep(records: Path, committed: Path) -> list[Path]:
    """Copy the verdict files of a run, with the records that they name and their arrays, to the committed results.

    What the folder `committed` held before is replaced, but for the records of `nox -s bench`. Returns its files.

    Raises
        FileNotFoundError: there is no verdict file, or a record is gone.
    """
    files = sorted(records.glob("verdicts-*.json"))
    if not files:
        raise FileNotFoundError(f"No verdict under {records}. Run `nox -s reproduce` first.")
    verdicts = {path: json.loads(path.read_text(encoding="utf-8")) for path in files}
    beside = committed.with_name(f".{committed.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    copy_records({file["notebook"]: file for file in verdicts.values()}, records, beside, arrays=True)
    for path in [*files, *committed.glob(BENCH)]:
        shutil.copyfile(path, beside / path.name)
    shutil.rmtree(committed, ignore_errors=True)  # only now that the new results are whole
    beside.rename(committed)
    return sorted(committed.iterdir())


def scorecard(profile: str, pages: list[Page], verdicts: dict[str, dict], committed: dict[str, dict]) -> str:
    """The scorecard page: verdicts counted, one table per notebook, where each figure is made, the committed run."""
    every = [claim for file in verdicts.values() for claim in file["claims"]]
    claims = [claim for claim in every if claim["source"] != OWN]
    counts = Counter(claim["verdict"] for claim in claims)
    summary = " ".join(f"{badge(verdict)} {counts[verdict]}&ensp;" for verdict in BADGES)
    states = Counter(page.state for page in pages)
    run = ", ".join(f"{states[s]} {s}" for s in ("done", "failed", "not executed"))
    lines = [
        "# Scorecard",
        f"Every claim that the notebooks of this run tested, in the profile `{profile}`. {about(profile)} "
        "How a verdict is decided is said in [how the numbers are made](how_the_numbers_are_made.md).",
        f'<p class="summary">{summary} of {len(claims)} claims of the paper</p>',
        f"Not counted: {len(every) - len(claims)} checks of this book's own.",
        f"Notebooks: {run}.",
        *(f"- [{page.name}](../notebooks/{page.source.name}): {page.state}" for page in pages if page.state != "done"),
        "## Claim by claim",
    ]
    for name, file in verdicts.items():
        lines += [f"### [](../notebooks/{name}.ipynb)", _claims_table(file["claims"])]
    lines += ["## Where each figure and table is", _where_table(pages, verdicts)]
    if committed:
        lines += _committed_section(committed)
    return "\n\n".join(lines) + "\n"


def _committed_section(committed: dict[str, dict]) -> list[str]:
    profiles = ", ".join(f"`{p}`" for p in sorted({file["profile"] for file in committed.values()}))
    claims = [claim for file in committed.values() for claim in file["claims"] if claim["source"] != OWN]
    counts = Counter(claim["verdict"] for claim in claims)
    lines = [
        "## The committed run",
        f"What the repository keeps of a full run, in the profile {profiles}, to compare with: the same claims, "
        "with the records behind them. Each record says when, on what machine and with which versions it was made.",
        '<p class="summary">' + " ".join(f"{badge(verdict)} {counts[verdict]}&ensp;" for verdict in BADGES) + "</p>",
    ]
    for name, file in committed.items():
        lines += [f"### {name}", _claims_table(file["claims"]), _records_list(file, "results")]
    return lines


def _records_list(file: dict, folder: str = "records") -> str:
    links = [f'<a href="../{folder}/{escape(r)}">{escape(r)}</a>' for r in file.get("records", [])]
    return f"<details><summary>{len(links)} records</summary>{'<br>'.join(links)}</details>" if links else ""


def badge(verdict: str) -> str:
    """A verdict as a small coloured label with a sign of its own, so that colour is not needed to read it."""
    return f'<span class="verdict {BADGES[verdict]}">{verdict}</span>'


def _claims_table(claims: list[dict]) -> str:
    def cell(claim: dict, column: str) -> str:
        if column == "verdict":
            return f'{badge(claim["verdict"])}<div class="why">{escape(claim["why"])}</div>'
        return escape(str(claim[column]))

    return _table(CLAIM_COLUMNS, ([cell(claim, column) for column in CLAIM_COLUMNS] for claim in claims))


def _where_table(pages: list[Page], verdicts: dict[str, dict]) -> str:
    rows = []
    for page in pages:
        file = verdicts.get(page.name, {"claims": []})
        sources = ", ".join(dict.fromkeys(escape(claim["source"]) for claim in file["claims"]))
        claims = "<br>".join(escape(claim["claim"]) for claim in file["claims"]) or "no claim tested in this run"
        notebook = f'<a href="../notebooks/{page.name}.html">{page.name}</a>'
        rows.append((claims, sources, notebook, _records_list(file) or "none"))
    return _table(("claims", "figure or table", "notebook", "records"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    top = "".join(f"<th>{cell}</th>" for cell in head)
    return f'<div class="scroll"><table class="claims">\n<tr>{top}</tr>\n{body}\n</table></div>'


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
