"""Figures: forces by angle, vector fields on a sphere, and tokens that move along them."""

import re
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from torch import Tensor

from ... import metrics, plots
from ...losses import forces
from ...plots import BLUE, RED, STYLE, closed

_SIGNS = {  # matplotlib's buttons take theirs from a font on the network
    "fa-minus": "−", "fa-fast-backward": "⏮", "fa-step-backward": "⏴", "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "⏸", "fa-play": "▶", "fa-step-forward": "⏵", "fa-fast-forward": "⏭", "fa-plus": "+",
}  # fmt: skip


def force_curves(table: pd.DataFrame) -> Figure:
    """`forces.by_angle` as lines, each divided by its largest size, so that shapes can be compared."""
    shapes = dict((table / table.abs().max()).items())
    figure = plots.curves(shapes, "angle between two tokens (degrees)", "force, apart is positive", zero=True)
    figure.axes[0].set_xticks(range(0, 181, 45))
    return figure


def vector_fields(names: Sequence[str], points: Float[Tensor, "tokens 3"], length: float = 0.45) -> Figure:
    """For each loss the tokens on the unit sphere and the force on each; the longest arrow has the given length."""
    with plt.rc_context(STYLE):
        figure, axes = _globes(names)
        for axis, name in zip(axes, names, strict=True):
            push = forces.force(name, points).numpy()
            arrows = length * push / max(np.linalg.norm(push, axis=1).max(), 1e-12)
            axis.scatter(*points.T, s=9, color=BLUE, depthshade=True)
            axis.quiver(*points.T, *arrows.T, color=RED, linewidth=0.9, arrow_length_ratio=0.3)
    return closed(figure)


def animation(flows: Mapping[str, Float[np.ndarray, "moments tokens 3"]], every: int = 5):
    """The directions of the tokens along each flow (`forces.flow`), every so many steps, with buttons and a slider.

    HTML that holds all it needs. Without JavaScript the last step is shown.
    """
    from IPython.display import HTML

    with plt.rc_context(STYLE | {"figure.dpi": 80}):
        figure, axes = _globes(list(flows))
        dots = [axis.plot([], [], [], "o", markersize=3, color=BLUE)[0] for axis in axes]

        def show(step: int) -> None:
            figure.suptitle(f"step {step}")
            for line, path in zip(dots, flows.values(), strict=True):
                line.set_data_3d(*metrics.unit_rows(torch.from_numpy(path[step])).numpy().T)

        moments = range(0, len(next(iter(flows.values()))), every)
        html = FuncAnimation(closed(figure), show, moments, interval=300, repeat=False).to_jshtml()
    return HTML(_without_network(html))


def _without_network(html: str) -> str:
    """What `to_jshtml` made, with signs for the icons it would load, and the last frame where no script runs."""
    html = re.sub(r"<link[^>]*>", "", html).replace("\\\n", "")
    html = re.sub(r'<i class="fa ([^"]*)"></i>', lambda icon: _SIGNS[icon[1]], html)
    last = re.findall(r"data:image/png;base64,[^\"]*", html)[-1]
    return html.replace("<img id", f'<img alt="tokens on spheres, step by step" src="{last}" id', 1)


def _globes(titles: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """Unit spheres side by side."""
    figure, axes = plt.subplots(
        1, len(titles), figsize=(2.7 * len(titles), 2.9), subplot_kw={"projection": "3d"}, layout="constrained"
    )
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    for axis, title in zip(np.atleast_1d(axes), titles, strict=True):
        axis.plot_wireframe(np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v), color="0.85", linewidth=0.4)
        axis.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
        axis.set_box_aspect((1, 1, 1))
        axis.view_init(elev=20, azim=20)
        axis.set_axis_off()
        axis.set_title(title)
    return figure, np.atleast_1d(axes)
