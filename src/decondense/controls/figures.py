"""The controls as a figure: within texts and between them, over depth."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .. import plots


def within_and_between(results: Sequence, titles: Sequence[str] | None = None, columns: int = 4) -> Figure:
    """Mean cosine within texts and between texts over layer fraction, a panel per model, with 95 % intervals.

    What lies between the two lines is the excess. Without any result the figure says so.

    Raises
        ValueError: a result without controls.
    """
    if not results:
        return plots.nothing()
    for result in results:
        if result.controls is None:
            raise ValueError(f"{result.name} was measured without controls; measure it with controls=True.")
    rows, columns = -(-len(results) // columns), min(columns, len(results))
    size = (min(plots.WIDTH, max(2.4 * columns, 4.2)), 2.4 * rows + 0.3)
    with plt.rc_context(plots.STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", sharey=True)
        for axis, result, title in zip(axes.flat, results, titles or plots.names(results), strict=False):
            panel(axis, result)
            axis.set_title(title)
        low = min(0.0, *(axis.get_ylim()[0] for axis in axes.flat[: len(results)]))
        axes.flat[0].set_ylim(low, 1.02)
        plots.legend_below(figure)
        for axis in plots.lowest(axes, len(results)):
            axis.set_xlabel("layer fraction")
        for axis in axes[:, 0]:
            axis.set_ylabel("mean cosine")
    return plots.closed(figure)


def panel(axis, result) -> None:
    """What is within texts and between them, of one result with controls, drawn into an axis."""
    lines = (("within", "within texts", plots.BLUE), ("between", "between texts", plots.RED))
    for name, label, colour in lines:
        axis.plot(result.layer_fraction, result.controls[name], color=colour, label=label, linewidth=1.2)
        axis.fill_between(result.layer_fraction, *result.controls.interval(name), color=colour, alpha=0.2)
    axis.set(xlim=(0, 1))
    axis.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
