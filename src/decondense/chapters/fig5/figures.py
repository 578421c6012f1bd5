"""Fig. 5 as slopes: what distillation does to rho and tau, published and measured here."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...condensation import Condensation
from ...paper.trends import METRICS
from ...plots import BLUE, GREY, RED, STYLE, WIDTH, closed, label_ends, legend_below
from ...runs import tables
from ...runs.run import Run
from .pairs import published
from .students import ASKED


def slopes(measured: Mapping[str, Sequence[Condensation]], runs: Sequence[Run]) -> Figure:
    """From a model that is not distilled to one that is, a panel each for rho and tau.

    measured
        `pairs.measured`: the models of the paper, as far as they were measured here.
    runs
        Students of `students.ASKED`: the text alone, and the teacher's predictions; thin lines are seeds.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.8), sharey=True, layout="constrained")
        ends = []
        for axis, (name, (symbol, _, _)) in zip(axes, METRICS.items(), strict=True):
            axis.set(title=symbol, xlim=(-0.15, 1.15))
            axis.set_xticks((0, 1), ("not distilled", "distilled"))
            ends.append([*_published(axis, symbol), *_measured(axis, name, measured), *_students(axis, name, runs)])
        axes[0].set(ylim=(min(0.0, axes[0].get_ylim()[0]), 1.05), ylabel="correlation of μ with depth")
        for axis, labels in zip(axes, ends, strict=True):
            label_ends(axis, labels, 1.0)
        legend_below(figure)
    return closed(figure)


def _published(axis: Axes, symbol: str) -> list[tuple]:
    rows = published().query("metric == @symbol")
    for values in rows[["not distilled", "distilled"]].to_numpy():
        axis.plot((0, 1), values, "o-", color=GREY, markersize=4, label="published pair")
    return [(value, size, "0.35") for value, size in zip(rows.distilled, rows["size"], strict=True)]


def _measured(axis: Axes, name: str, pairs: Mapping[str, Sequence[Condensation]]) -> list[tuple]:
    ends = []
    for size, pair in pairs.items():
        values = [getattr(result, name) for result in pair]
        axis.plot((0, 1), values, "D-", color=BLUE, markersize=5, label="pair measured here")
        ends.append((values[-1], f"{size}, here", BLUE))
    return ends


def _students(axis: Axes, name: str, runs: Sequence[Run]) -> list[tuple]:
    values = tables.by_seed(runs, lambda run: getattr(run.look(), name)).reindex(list(ASKED)).dropna(axis=1)
    if values.empty:
        return []
    for seed in values:
        axis.plot((0, 1), values[seed], color=RED, linewidth=0.6, alpha=0.35)
    mean = values.mean(axis=1)
    axis.plot((0, 1), mean, "D-", color=RED, markersize=5, label="students here: mean over seeds (thin: each seed)")
    return [(mean.iloc[-1], "students", RED)]
