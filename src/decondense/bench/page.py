"""The page Performance of the book: what things cost, made by code from the committed records of `nox -s bench`."""

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from ..base import timing
from ..base.errors import unknown
from ..base.timing import Ratio
from . import RECORDS, family, measurement, plots
from .losses import ALONE, EXACT, NAIVE, PLAIN
from .measurement import GIVEN, OURS, REAL, THEIRS
from .targets import by_size, cheaper, chosen, loaded_records, of_loaded, show, targets

NO_RECORD = "*not measured: there is no such record of `nox -s bench`*"


def read(folder: Path) -> list[dict]:
    """The committed records of the benchmarks, with the file name of each under "file"."""
    paths = sorted(folder.glob(RECORDS))
    return [json.loads(path.read_text(encoding="utf-8")) | {"file": path.name} for path in paths]


def write(book: Path, target: Path) -> None:
    """Write performance.md, filled from the records under `book`/results, and its figures to the folder `target`.

    book
        Holds performance.md with the prose and a comment, `<!-- name -->`, where each part that is computed goes.

    Raises
        ValueError: a comment that names no part.
    """
    records = read(book / "results")
    figures = plots.figures(records) if records else {}
    for name, (figure, _) in figures.items():
        figure.savefig(target / f"performance-{name}.png", dpi=160, bbox_inches="tight")
    captions = {name: caption for name, (_, caption) in figures.items()}
    text = filled((book / "performance.md").read_text(encoding="utf-8"), records, captions)
    (target / "performance.md").write_text(text, encoding="utf-8")


def filled(text: str, records: list[dict], captions: dict[str, str]) -> str:
    """The text of the page with what the records say in the place of its comments; captions of the figures by name."""

    def part(found: re.Match) -> str:
        kind, _, name = found[1].partition(" ")
        if kind not in PARTS and kind != "figure":
            raise unknown("part of performance.md", kind, [*PARTS, "figure"])
        if not records:
            return NO_RECORD
        return PARTS[kind](records) if kind in PARTS else _figure(name, captions)

    return re.sub(r"<!-- (.+?) -->", part, text)


def _figure(name: str, captions: dict[str, str]) -> str:
    if name not in captions:
        return NO_RECORD
    return f":::{{figure}} performance-{name}.png\n:name: fig-performance-{name}\n{captions[name]}\n:::"


def _machine(records: list[dict]) -> str:
    made = [record["provenance"] for record in records]
    hardware, first, last = made[0]["hardware"], min(p["utc"] for p in made), max(p["utc"] for p in made)
    packages = ", ".join(f"{name} {made[0]['packages'][name]}" for name in ("torch", "transformers", "numpy"))
    threads = max(record["config"]["threads"] for record in records)
    return (
        f"{hardware['system']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB, {threads} threads where "
        f"the table names no other number, {packages}; "
        f"from {first[:16].replace('T', ' ')} to {last[:16].replace('T', ' ')} UTC."
    )


def _records(records: list[dict]) -> str:
    links = "<br>".join(f'<a href="../results/{escape(r["file"])}">{escape(r["file"])}</a>' for r in records)
    return f"<details><summary>{len(records)} records</summary>{links}</details>"


# --- targets --------------------------------------------------------------------------------------------------------


# --- tables ---------------------------------------------------------------------------------------------------------


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _met(met: bool | None) -> str:
    return {True: "yes", False: "**no**", None: ""}[met]


def _costs(records: list[dict]) -> str:
    rows = []
    for record in _given(records):
        seconds, memory = measurement.beyond(record)
        shape = f"{record['config']['layers']} x {record['config']['features']}"
        for case in (*OURS, THEIRS):
            ratios = ("", "") if case == THEIRS else map(show, cheaper(record, case))
            name = "peer" if case == THEIRS else case
            cost = (f"{seconds[case].median():.3g}", f"{memory[case]:,.0f}")
            rows.append((shape, str(record["config"]["texts"]), name, *cost, *ratios))
    return table(("layers x d", "texts", "case", "seconds", "MiB", "time, peer / ours", "memory, peer / ours"), rows)


def _given(records: list[dict]) -> list[dict]:
    return by_size(chosen(records, "bench-measurement", kind=GIVEN))


def _agreements(records: list[dict]) -> str:
    rows = []
    for record in by_size(chosen(records, "bench-measurement")):
        config, apart = record["config"], record["results"]["agreement"]
        numbers = (
            f"{apart['mu']:.1e}",
            *(f"{apart[name]:.3g}" for name in ("rho", "tau")),
            f"{apart['histogram']:.1e}",
        )
        rows.append((config["kind"], f"{config['layers']} x {config['features']}", str(config["texts"]), *numbers))
    return table(("weights", "layers x d", "texts", "mu", "rho", "tau", "pairs in another bin"), rows)


def _whole(records: list[dict]) -> str:
    rows = []
    for record in by_size(chosen(records, "bench-measurement", kind=REAL)):
        seconds = timing.seconds(record["results"]["rows"]).median()
        shape = (f"{record['config']['layers']} x {record['config']['features']}", str(record["config"]["texts"]))
        cases = ["forward", *OURS, measurement.PEERS_FORWARD, THEIRS]
        gain = f"{seconds[THEIRS] / seconds['mean cosine']:.2g}"
        rows.append((*shape, *(f"{seconds[case]:.3g}" for case in cases), gain))
    head = ("layers x d", "texts", "forward, ours", *OURS, "forward, peer", "peer", "peer / mean cosine")
    return table(head, rows)


def _short(records: list[dict]) -> str:
    rows = []
    for record in sorted(chosen(records, "bench-short-texts"), key=lambda record: record["config"]["tokens"]):
        seconds, tokens = timing.seconds(record["results"]["rows"]), record["config"]["tokens"]
        alone, together = seconds[measurement.ALONE], seconds[measurement.TOGETHER]
        each = (f"{1000 * s.median() / record['config']['texts']:.3g}" for s in (alone, together))
        apart = f"{record['results']['mu']:.1e}"
        rows.append((f"{tokens // 2} to {tokens}", *each, show(timing.ratio(alone, together)), apart))
    return table(("tokens a text", "ms a text, one by one", "together", "gain", "difference of mu"), rows)


def _loaded(records: list[dict]) -> str:
    found = loaded_records(records)
    if not found:
        return NO_RECORD
    rows = [(str(r["config"]["threads"]), str(r["config"]["busy"]), *map(show, of_loaded(r))) for r in found]
    return table(("threads", "other processes", f"time, {EXACT} / {NAIVE}", "time of all cores"), rows)


def _step(records: list[dict]) -> str:
    rows = []
    for record in chosen(records, "bench-step"):
        seconds = timing.seconds(record["results"]["rows"])
        plain = seconds.pop(PLAIN)
        rows.append((PLAIN, f"{plain.median():.3g}", "", ""))
        for name in (name for name in seconds if not name.endswith(ALONE)):
            whole, alone = timing.ratio(seconds[name], plain), timing.ratio(seconds[name + ALONE], plain)
            cells = (show(Ratio(*(100 * (x - 1) for x in whole))), show(Ratio(*(100 * x for x in alone))))
            rows.append((name, f"{seconds[name].median():.3g}", *cells))
    return table(("loss", "seconds a step", "in the step, %", "alone, %"), rows)


def _family(records: list[dict]) -> str:
    found = chosen(records, "bench-family")
    if not found:
        return NO_RECORD
    seconds, memory = (of(found[0]["results"]["rows"]) for of in (timing.seconds, timing.mebibytes))
    rows = []
    for name, kind in family.OF.items():
        over = show(timing.ratio(seconds[name], seconds[name + family.BARE])) if kind else ""
        rows.append((name, f"{1000 * seconds[name].median():.3g}", f"{memory[name]:,.1f}", kind or "none", over))
    return table(("loss", "ms", "MiB", "matrix products", "time over theirs"), rows)


def _targets(records: list[dict]) -> str:
    return table(("target", "measured", "met"), [(t.target, t.measured, _met(t.met)) for t in targets(records)])


PARTS = {
    "machine": _machine,
    "targets": _targets,
    "costs": _costs,
    "agreement": _agreements,
    "whole": _whole,
    "short": _short,
    "loaded": _loaded,
    "step": _step,
    "family": _family,
    "records": _records,
}
