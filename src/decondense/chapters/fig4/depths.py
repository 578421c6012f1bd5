"""mu over depth at each checkpoint of the runs made here: all of them in one figure, or one by one with a slider."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ... import plots
from ...plots import BLUE, STYLE, WIDTH, closed, colours, legend_below
from ...runs.run import Run
from .course import labels


def steps(runs: Sequence[Run]) -> list[int]:
    """The checkpoints of the runs.

    Raises
        ValueError: there is no run, or they have different checkpoints.
    """
    found = {tuple(run.path.step) for run in runs}
    if len(found) != 1:
        raise ValueError(
            f"The runs must have the same checkpoints, got {sorted(found)}: give runs of one configuration."
        )
    return list(found.pop())


def profiles(runs: Sequence[Run], shown: int | None = None) -> Figure:
    """mu over layer fraction, a panel per label and a line per checkpoint, mean over the seeds; late ones are light.

    With `shown`, the place of a checkpoint: that one alone in colour, with its lowest and highest of the seeds and the
    mean of their rho; the others are grey.
    """
    names, at = labels(runs), steps(runs)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(names), figsize=(WIDTH, 3.2), squeeze=False, sharey=True, layout="constrained"
        )
        for axis, name in zip(axes.flat, names, strict=True):
            of_label = [run for run in runs if run.label == name]
            mu = np.stack([run.mu for run in of_label])
            _lines(axis, mu.mean(0), at, shown)
            axis.set(title=name, xlabel="layer fraction", xlim=(0, 1), ylim=(min(0, mu.min()), 1))
            if shown is not None:
                seeds = mu[:, shown]
                axis.fill_between(_fraction(mu), seeds.min(0), seeds.max(0), color=BLUE, alpha=0.2, linewidth=0)
                axis.set_title(f"{name}, mean ρ {np.mean([run.path.rho[shown] for run in of_label]):+.2f}")
        axes[0, 0].set_ylabel("mean cosine μ")
        legend_below(figure)
    return closed(figure)


def _lines(axis: Axes, mu: Float[np.ndarray, "checkpoints entries"], at: list[int], shown: int | None) -> None:
    for place, (profile, step, colour) in enumerate(zip(mu, at, colours(len(at)), strict=True)):
        alone = shown is not None
        how = {"color": "0.85", "zorder": 1} if alone else {"color": colour, "label": f"step {step:,}"}
        axis.plot(_fraction(mu), profile, linewidth=1, **how)
        if place == shown:
            axis.plot(_fraction(mu), profile, color=BLUE, marker="o", markersize=3, label=f"step {step:,}")


def _fraction(mu: np.ndarray) -> np.ndarray:
    return np.linspace(0, 1, mu.shape[-1])


def over_steps(runs: Sequence[Run], name: str):
    """A slider over the checkpoints in place of the figure `name`: a frame is `profiles` with one of them shown."""
    frames = {f"{step:,}": profiles(runs, place) for place, step in enumerate(steps(runs))}
    return plots.slider(frames, name, "training step")
