"""Unit spheres seen from one side: shaded, what lies on the far side hidden, true to scale (orthographic)."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, RED, STYLE, WIDTH, closed

ELEVATION = 20.0  # degrees above the equator
LIGHT = np.array([-0.45, 0.55, 0.7])  # right, up, to the viewer
PIXELS = 240  # of a sphere's picture, across

Points = Float[np.ndarray, "n 3"]


def toward_the_viewer(points: Points, azimuth: float, elevation: float = ELEVATION) -> Points:
    """The points turned so that the axes are: right, up, to the viewer, who stands at these angles (degrees)."""
    around, above = np.radians([azimuth, elevation])
    ahead = np.array([np.cos(above) * np.cos(around), np.cos(above) * np.sin(around), np.sin(above)])
    right = np.array([-np.sin(around), np.cos(around), 0.0])
    return points @ np.stack([right, np.cross(ahead, right), ahead], axis=1)


def globe(axis: Axes) -> None:
    """A shaded unit sphere on an empty axis, as seen after `toward_the_viewer`."""
    across = np.linspace(-1, 1, PIXELS)
    x, y = np.meshgrid(across, across)
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    light = np.clip(np.stack([x, y, z], -1) @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    image = axis.imshow(0.72 + 0.26 * light, cmap="gray", vmin=0, vmax=1, extent=(-1, 1, -1, 1), origin="lower")
    rim = plt.Circle((0, 0), 1, facecolor="none", edgecolor="0.6", linewidth=0.8)
    image.set_clip_path(axis.add_patch(rim))
    axis.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.3), aspect="equal")
    axis.set_axis_off()


def spheres(points: Mapping[str, Points], columns: int = 2) -> Figure:
    """Tokens as points on unit spheres (`metrics.cone_coordinates`), the mean direction up, its cone drawn around it.

    The ring stands at the mean angle between a token and the mean direction, written beside it in degrees. Each sphere
    is seen from the side where most tokens are; those on its far side are hidden, and counted.
    """
    columns = min(columns, len(points))
    rows = -(-len(points) // columns)
    with plt.rc_context(STYLE):
        wide = min(WIDTH, 2.7 * columns)
        figure, axes = plt.subplots(
            rows, columns, figsize=(wide, wide / columns * 1.4 * rows), squeeze=False, layout="constrained"
        )
        for axis, (title, xyz) in zip(axes.flat, points.items(), strict=False):
            _cone(axis, np.asarray(xyz))
            axis.set_title(title)
        for axis in axes.flat[len(points) :]:
            axis.set_visible(False)
    return closed(figure)


def _cone(axis: Axes, xyz: Points) -> None:
    globe(axis)
    azimuth = np.degrees(np.arctan2(*xyz[:, 1::-1].mean(0)))
    seen = toward_the_viewer(xyz, azimuth)
    angle = np.arccos(np.clip(xyz[:, 2], -1, 1)).mean()
    around = np.linspace(0, 2 * np.pi, 181)
    ring = np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.full_like(around, np.cos(angle))
    _line(axis, toward_the_viewer(np.stack(ring, 1), azimuth))
    (tip,) = toward_the_viewer(np.array([[0.0, 0.0, 1.3]]), azimuth)
    axis.annotate("", tip[:2], tip[:2] / 1.3, arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.5})
    front = in_front(seen)
    axis.scatter(*seen[front, :2].T, s=5, color=RED, alpha=0.6, linewidth=0, zorder=3)
    said = f"mean angle {np.degrees(angle):.0f}°\n{front.sum()} of {len(seen)} tokens on this side"
    axis.set_ylim(-1.5, 1.35)
    axis.text(0, -1.12, said, ha="center", va="top", color=BLUE, fontsize=8)


def _line(axis: Axes, points: Points) -> None:
    """What of a closed line is on the near side, drawn; the rest, thin and dotted."""
    near = np.where(in_front(points)[:, None], points[:, :2], np.nan)
    far = np.where(in_front(points)[:, None], np.nan, points[:, :2])
    axis.plot(*far.T, color=BLUE, linewidth=0.8, linestyle=":", zorder=2)
    axis.plot(*near.T, color=BLUE, linewidth=1.4, zorder=4)


def in_front(points: Points) -> Bool[np.ndarray, "n"]:
    """Which of the points, after `toward_the_viewer`, are on the near side."""
    return points[:, 2] >= 0
