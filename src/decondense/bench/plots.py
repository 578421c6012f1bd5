"""Figures of the page Performance: cost against tokens, features, texts and layers."""

from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ..base import timing
from ..plots import STYLE, WIDTH, closed
from . import losses
from .measurement import GIVEN, OURS, SHAPES, THEIRS, beyond

MARKERS = "osD^vPX"
LEGEND = {THEIRS: "peer"}


def by(records: Iterable[dict], key: str, cost: Callable[[list], pd.Series | pd.DataFrame]) -> pd.DataFrame:
    """A cost of each case, the median where there are rounds: one row for each value of `key` in the configurations."""
    rows = {}
    for record in records:
        found = cost(record["results"]["rows"])
        rows[record["config"][key]] = found.median() if isinstance(found, pd.DataFrame) else found
    return pd.DataFrame.from_dict(rows, orient="index").sort_index().rename_axis(key)


def figures(records: list[dict]) -> dict[str, tuple[Figure, str]]:
    """Name -> figure and caption, of those for which there are records."""
    threads = max((record["config"]["threads"] for record in records), default=1)
    every = [record for record in records if record["config"]["threads"] == threads]
    loss = [record for record in every if record["experiment"] == "bench-loss"]
    wide = [record for record in loss if record["config"]["features"] == 1024]
    long = [record for record in loss if record["config"]["tokens"] == 2048]
    layers, features = SHAPES["gpt2-xl"]
    given = [r for r in every if r["experiment"] == "bench-measurement" and r["config"]["kind"] == GIVEN]
    given = [record for record in given if record["config"]["features"] == features]
    deep = [record for record in given if record["config"]["layers"] == layers]
    ten = [record for record in given if record["config"]["texts"] == 10]
    found = {}
    if deep:
        caption = (
            f"Cost of a measurement beyond the forward pass against the number of texts, {layers} layers, d {features}."
        )
        found["texts"] = (_measuring(deep, "texts"), caption)
    if ten:
        caption = f"The same against the number of layers, for 10 texts, d {features}."
        found["layers"] = (_measuring(ten, "layers"), caption)
    if loss:
        time = lambda some, key: lines(by(some, key, timing.seconds), _NAMES[key], "seconds")
        found["tokens"] = (time(wide, "tokens"), "Seconds of value and gradient against the number of tokens, d 1024.")
        found["features"] = (time(long, "features"), "Seconds of value and gradient against the width, N 2048.")
        memory = by(wide, "tokens", timing.mebibytes)
        found["memory"] = (lines(memory, _NAMES["tokens"], "MiB"), "Peak memory against the number of tokens, d 1024.")
    return found


_NAMES = {"tokens": "tokens N", "features": "features d", "texts": "texts", "layers": "layers"}


def lines(table: pd.DataFrame, across: str, up: str) -> Figure:
    """One line per column over the index, both axes logarithmic."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
        _draw(axis, table, across, up)
        figure.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    return closed(figure)


def _draw(axis, table: pd.DataFrame, across: str, up: str) -> None:
    for (name, column), marker in zip(table.items(), MARKERS, strict=False):
        dashed = {"linestyle": "--", "color": "0.5"} if name == losses.PRODUCTS else {}
        axis.plot(table.index, column, marker=marker, markersize=4, linewidth=1, label=LEGEND.get(name, name), **dashed)
    axis.set(xlabel=across, ylabel=up, xscale="log", yscale="log")
    axis.set_xticks(table.index, labels=[f"{x:,}" for x in table.index])
    axis.xaxis.set_minor_locator(NullLocator())


def _measuring(records: list[dict], key: str) -> Figure:
    """Seconds and MiB beyond the forward pass, here and in the peer package."""
    costs = {record["config"][key]: beyond(record) for record in records}
    seconds = pd.DataFrame({x: time.median() for x, (time, _) in costs.items()}).T.sort_index()
    memory = pd.DataFrame({x: peak for x, (_, peak) in costs.items()}).T.sort_index().clip(lower=1)
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.0), layout="constrained")
        _draw(left, seconds[[*OURS, THEIRS]], _NAMES[key], "seconds")
        _draw(right, memory[[*OURS, THEIRS]], _NAMES[key], "MiB (1 or less at 1)")
        figure.legend(*left.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=4)
    return closed(figure)
