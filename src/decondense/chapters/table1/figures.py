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
from ...plots import BLUE, RED, STYLE, closed, globe, toward_the_viewer

_SIGNS = {  # matplotlib's buttons take theirs from a font on the network
    "fa-minus": "−", "fa-fast-backward": "⏮", "fa-step-backward": "⏴", "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "⏸", "fa-play": "▶", "fa-step-forward": "⏵", "fa-fast-forward": "⏭", "fa-plus": "+",
}  # fmt: skip


SHOWN = {  # as the paper's Table 1 calls them
    "dispersion": "dispersion", "decorrelation": "decorrelation", "l2_repel": "ℓ₂-repel",
    "orthogonalization": "orthogonalization", "wang_he_cosine": "Wang & He (2025)",
}  # fmt: skip
AZIMUTH = 20.0  # degrees: the cone of `forces.cloud` faces the viewer


def force_curves(table: pd.DataFrame) -> Figure:
    """`forces.by_angle` as lines, each divided by its largest size, so that shapes can be compared."""
    shapes = dict((table / table.abs().max()).rename(columns=SHOWN).items())
    figure = plots.curves(shapes, "angle between two tokens (degrees)", "force (positive: apart)", zero=True)
    figure.axes[0].set_xticks(range(0, 181, 45))
    return figure


def vector_fields(names: Sequence[str], points: Float[Tensor, "tokens 3"], length: float = 0.45) -> Figure:
    """For each loss the tokens on the unit sphere and the force on each; the longest arrow has the given length.

    Tokens on the far side are hidden, with their arrows.
    """
    with plt.rc_context(STYLE):
        figure, axes = _globes(names)
        at = toward_the_viewer(points.numpy(), AZIMUTH)
        near = at[:, 2] >= 0
        for axis, name in zip(axes, names, strict=True):
            push = toward_the_viewer(forces.force(name, points).numpy(), AZIMUTH)
            arrows = length * push / max(np.linalg.norm(push, axis=1).max(), 1e-12)
            axis.scatter(*at[near, :2].T, s=12, color=BLUE, zorder=3)
            how = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008, "zorder": 4}
            axis.quiver(*at[near, :2].T, *arrows[near, :2].T, color=RED, **how)
    return closed(figure)


def animation(flows: Mapping[str, Float[np.ndarray, "moments tokens 3"]], every: int = 5):
    """The directions of the tokens along each flow (`forces.flow`), every so many steps, with buttons and a slider.

    Tokens on the far side are pale. HTML that holds all it needs. Without JavaScript the last step is shown.
    """
    from IPython.display import HTML

    with plt.rc_context(STYLE):
        figure, axes = _globes(list(flows))
        near = [axis.plot([], [], "o", markersize=3.5, color=BLUE, zorder=3)[0] for axis in axes]
        far = [axis.plot([], [], "o", markersize=3, color=BLUE, alpha=0.2, zorder=2)[0] for axis in axes]

        def show(step: int) -> None:
            figure.suptitle(f"step {step}")
            for front, back, path in zip(near, far, flows.values(), strict=True):
                at = toward_the_viewer(metrics.unit_rows(torch.from_numpy(path[step])).numpy(), AZIMUTH)
                front.set_data(*at[at[:, 2] >= 0, :2].T)
                back.set_data(*at[at[:, 2] < 0, :2].T)

        moments = range(0, len(next(iter(flows.values()))), every)
        html = FuncAnimation(closed(figure), show, moments, interval=300, repeat=False).to_jshtml()
    return HTML(_without_network(html))


def held(tokens: Mapping[str, Float[Tensor, "tokens 3"]], weight: float) -> Figure:
    """The directions of the tokens under each loss at one weight (`weights.held`), those on the far side pale."""
    with plt.rc_context(STYLE):
        figure, axes = _globes(list(tokens))
        for axis, (name, z) in zip(axes, tokens.items(), strict=True):
            at = toward_the_viewer(metrics.unit_rows(z).numpy(), AZIMUTH)
            near = at[:, 2] >= 0
            axis.scatter(*at[near, :2].T, s=12, color=BLUE, zorder=3)
            axis.scatter(*at[~near, :2].T, s=9, color=BLUE, alpha=0.2, zorder=2)
            cosine = float(metrics.mean_cosine(z).off_diagonal)
            axis.set_title(f"{SHOWN.get(name, name)}, mean cosine {cosine:.2f}")
        figure.suptitle(f"weight {weight:g}")
    return closed(figure)


def over_weights(tokens: Mapping[float, Mapping[str, Float[Tensor, "tokens 3"]]], name: str):
    """A slider over the weight in place of the figure `name`: a frame is `held` at one of the weights."""
    frames = {f"{weight:g}": held(at, weight) for weight, at in tokens.items()}
    return plots.slider(frames, name, "weight of the loss")


def _without_network(html: str) -> str:
    """What `to_jshtml` made, with signs for the icons it would load, and the last frame where no script runs."""
    html = re.sub(r"<link[^>]*>", "", html).replace("\\\n", "")
    html = re.sub(r'<i class="fa ([^"]*)"></i>', lambda icon: _SIGNS[icon[1]], html)
    last = re.findall(r"data:image/png;base64,[^\"]*", html)[-1]
    return html.replace("<img id", f'<img alt="tokens on spheres, step by step" src="{last}" id', 1)


def _globes(names: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """Shaded unit spheres, two a row."""
    rows = -(-len(names) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(6.0, 3.1 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        globe(axis)
        axis.set_title(SHOWN.get(name, name))
    return figure, axes.flat[: len(names)]
