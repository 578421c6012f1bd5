"""The page Performance of the book: what things cost, made by code from the committed records of `nox -s bench`."""

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..base import timing
from ..base.errors import unknown
from ..base.timing import Ratio
from . import RECORDS, family, measurement, plots
from .losses import ALONE, EXACT, FIRST, NAIVE, PLAIN, PRODUCTS
from .measurement import GIVEN, OURS, REAL, SHAPES, THEIRS

RESOLUTION = 1.0  # MiB: less cannot be distinguished from nothing, since the kernel counts resident pages that coarsely
NO_RECORD = "*not measured: there is no such record of `nox -s bench`*"


class Target(NamedTuple):
    """A limit set before, what was measured, and whether that is enough; `met` is `None` where it was not measured."""

    target: str
    measured: str
    met: bool | None


def read(folder: Path) -> list[dict]:
    """The committed records of the benchmarks, with the file name of each under "file"."""
    paths = sorted(folder.glob(RECORDS))
    return [json.loads(path.read_text(encoding="utf-8")) | {"file": path.name} for path in paths]


def chosen(records: Iterable[dict], experiment: str, **config) -> list[dict]:
    """The records of one experiment whose configuration has these values."""
    return [r for r in records if r["experiment"] == experiment and config.items() <= r["config"].items()]


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


def targets(records: list[dict]) -> list[Target]:
    """Every target beside what was measured."""
    return [*_of_measuring(records), *_of_losses(records), *_of_start(records)]


def _of_measuring(records: list[dict]) -> list[Target]:
    layers, features = SHAPES["gpt2-xl"]
    found = chosen(records, "bench-measurement", kind=GIVEN, layers=layers, features=features, texts=100)
    rows = []
    for case, least in (("mean cosine", 20), ("pooled", 3), ("averaged", 3)):
        time, memory = cheaper(found[0], case) if found else (None, None)
        for name, limit, ratio in (("time", least, time), ("memory", 50, memory)):
            target = f"{name} beyond the forward pass, peer over `{case}`, GPT-2 xl shape, 100 texts: at least"
            rows.append(_limit(target, limit, ratio, at_least=True))
    for record in _by_size(chosen(records, "bench-measurement", kind=REAL)):
        config, seconds = record["config"], timing.seconds(record["results"]["rows"])
        whole = f"{config['layers']} x {config['features']}, texts: {config['texts']}"
        target = f"time with the forward pass, peer over `mean cosine`, real model of {whole}"
        rows.append(Target(target, show(timing.ratio(seconds[THEIRS], seconds["mean cosine"])), None))
    apart = [record["results"]["agreement"] for record in chosen(records, "bench-measurement")]
    if apart:
        worst = max(found["mu"] for found in apart)
        same = all(found["rho"] == found["tau"] == 0 for found in apart)
        rows.append(Target("mu of both sides apart by at most 1e-6", f"{worst:.1e}", worst <= 1e-6))
        rows.append(Target("rho and tau of both sides the same", "same" if same else "not the same", same))
    return rows


def _of_losses(records: list[dict]) -> list[Target]:
    rows = []
    for record in chosen(records, "bench-loss", tokens=2048, features=1024):
        seconds = timing.seconds(record["results"]["rows"])
        threads = "one thread" if record["config"]["threads"] == 1 else f"{record['config']['threads']} threads"
        target = f"time of `{EXACT}` over its matrix products, N 2048, d 1024, {threads}: at most"
        rows.append(_limit(target, 1.5, timing.ratio(seconds[EXACT], seconds[PRODUCTS])))
    for record in _loaded_records(records):
        config = record["config"]
        if config["busy"] and config["threads"] > 1:
            how = f"{config['threads']} threads, other processes: {config['busy']}"
            target = f"time of `{EXACT}` over `{NAIVE}`, {how}: at most"
            rows.append(_limit(target, 1, _of_loaded(record)[0]))
    for form, most in ((EXACT, 1.1), (NAIVE, None)):
        power = growth(records, form)
        target = f"`{form}`, the power of N with which peak memory grows" + (f": at most {most}" if most else "")
        shown = "not measured" if power is None else f"{power:.2f}"
        rows.append(Target(target, shown, power <= most if power and most else None))
    for record in chosen(records, "bench-step"):
        seconds = timing.seconds(record["results"]["rows"])
        share = Ratio(*(100 * x for x in timing.ratio(seconds[FIRST + ALONE], seconds[PLAIN])))
        rows.append(_limit(f"`{FIRST}`, alone, in per cent of a training step: at most", 1, share))
    return rows


def _of_start(records: list[dict]) -> list[Target]:
    rows = []
    for record in chosen(records, "bench-start"):
        median = timing.seconds(record["results"]["rows"]).median()
        corpus = timing.seconds(record["results"]["corpus"])["corpus"].iloc[0]
        imported, said = (float(median[name]) for name in ("import decondense", "decondense --help"))
        rows.append(Target("`import decondense`, a new process: at most 0.3 s", f"{imported:.2f} s", imported <= 0.3))
        rows.append(Target("`decondense --help`", f"{said:.2f} s", None))
        rows.append(Target("the embedded corpus, empty cache: at most 30 s", f"{corpus:.1f} s", bool(corpus <= 30)))
    return rows


def cheaper(record: dict, case: str) -> tuple[Ratio, Ratio]:
    """By how much `case` costs less than the peer beyond the forward pass: in time, and in memory (a lower bound)."""
    seconds, memory = measurement.beyond(record)
    times = float(memory[THEIRS] / max(memory[case], RESOLUTION))
    return timing.ratio(seconds[THEIRS], seconds[case]), Ratio(times, times, times)


def growth(records: list[dict], form: str) -> float | None:
    """The power of N with which the peak memory of a form grows, from the two longest sequences at one width."""
    memory = plots.by(chosen(records, "bench-loss", features=1024), "tokens", timing.mebibytes)
    if len(memory) < 2:
        return None
    (low, less), (high, more) = memory[form].sort_index().iloc[-2:].items()
    return float(np.log(more / less) / np.log(high / low))


def _limit(target: str, limit: int | float, ratio: Ratio | None, at_least: bool = False) -> Target:
    target = f"{target} {limit:g}"
    if ratio is None:
        return Target(target, "not measured", None)
    return Target(target, show(ratio), bool(ratio.median >= limit if at_least else ratio.median <= limit))


# --- tables ---------------------------------------------------------------------------------------------------------


def show(ratio: Ratio) -> str:
    """Median [lowest, highest] with three significant digits; one number where they are the same."""
    three = [f"{x:.3g}" if abs(x) < 100 else f"{x:,.0f}" for x in ratio]
    return three[0] if ratio.low == ratio.high else f"{three[0]} [{three[1]}, {three[2]}]"


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
    return _by_size(chosen(records, "bench-measurement", kind=GIVEN))


def _by_size(records: list[dict]) -> list[dict]:
    return sorted(records, key=lambda r: [r["config"][name] for name in ("kind", "layers", "features", "texts")])


def _agreements(records: list[dict]) -> str:
    rows = []
    for record in _by_size(chosen(records, "bench-measurement")):
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
    for record in _by_size(chosen(records, "bench-measurement", kind=REAL)):
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


def _loaded_records(records: list[dict]) -> list[dict]:
    return sorted(chosen(records, "bench-loaded"), key=lambda r: (r["config"]["threads"], r["config"]["busy"]))


def _of_loaded(record: dict) -> tuple[Ratio, Ratio]:
    """`EXACT` over `NAIVE` beside other work: in time, and in the time of all cores."""
    rows = record["results"]["rows"]
    time, cores = (timing.seconds([{name: cost[i:] for name, cost in row.items()} for row in rows]) for i in (0, 1))
    return timing.ratio(time[EXACT], time[NAIVE]), timing.ratio(cores[EXACT], cores[NAIVE])


def _loaded(records: list[dict]) -> str:
    found = _loaded_records(records)
    if not found:
        return NO_RECORD
    rows = [(str(r["config"]["threads"]), str(r["config"]["busy"]), *map(show, _of_loaded(r))) for r in found]
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
