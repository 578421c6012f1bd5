"""The targets of the page Performance: limits that were set before, beside what was measured."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..base import timing
from ..base.timing import Ratio
from . import measurement, plots
from .losses import ALONE, EXACT, FIRST, NAIVE, PLAIN, PRODUCTS
from .measurement import GIVEN, REAL, SHAPES, THEIRS

RESOLUTION = 1.0  # MiB: less cannot be distinguished from nothing, since the kernel counts resident pages that coarsely


class Target(NamedTuple):
    """A limit set before, what was measured, and whether that is enough; `met` is `None` where it was not measured."""

    target: str
    measured: str
    met: bool | None


def chosen(records: Iterable[dict], experiment: str, **config) -> list[dict]:
    """The records of one experiment whose configuration has these values."""
    return [r for r in records if r["experiment"] == experiment and config.items() <= r["config"].items()]


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
    for record in by_size(chosen(records, "bench-measurement", kind=REAL)):
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
    for record in loaded_records(records):
        config = record["config"]
        if config["busy"] and config["threads"] > 1:
            how = f"{config['threads']} threads, other processes: {config['busy']}"
            target = f"time of `{EXACT}` over `{NAIVE}`, {how}: at most"
            rows.append(_limit(target, 1, of_loaded(record)[0]))
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


def show(ratio: Ratio) -> str:
    """Median [lowest, highest] with three significant digits; one number where they are the same."""
    three = [f"{x:.3g}" if abs(x) < 100 else f"{x:,.0f}" for x in ratio]
    return three[0] if ratio.low == ratio.high else f"{three[0]} [{three[1]}, {three[2]}]"


def by_size(records: list[dict]) -> list[dict]:
    """Records of measurements in the order of what was measured."""
    return sorted(records, key=lambda r: [r["config"][name] for name in ("kind", "layers", "features", "texts")])


def loaded_records(records: list[dict]) -> list[dict]:
    """Those made beside other work, in the order of the threads and of how much other work."""
    return sorted(chosen(records, "bench-loaded"), key=lambda r: (r["config"]["threads"], r["config"]["busy"]))


def of_loaded(record: dict) -> tuple[Ratio, Ratio]:
    """`EXACT` over `NAIVE` beside other work: in time, and in the time of all cores."""
    rows = record["results"]["rows"]
    time, cores = (timing.seconds([{name: cost[i:] for name, cost in row.items()} for row in rows]) for i in (0, 1))
    return timing.ratio(time[EXACT], time[NAIVE]), timing.ratio(cores[EXACT], cores[NAIVE])
