"""Figures of several chapters: cosines over depth, trends over size, training, doses, differences, spheres, sliders.

One system: at most `WIDTH` inches wide, letters of `SMALL` points or more, published points grey and ours in colour.
`results` are measurements (`Condensation`), which draw themselves with this room; so it imports nothing of theirs.
"""

from .compared import curves, differences, doses, grid, trends
from .depth import by_layer, depth_profiles, heatmaps
from .globes import globe, spheres, toward_the_viewer
from .moving import dragged, slider
from .style import (
    BLUE,
    GREY,
    RED,
    SMALL,
    STYLE,
    WIDTH,
    closed,
    colours,
    label_ends,
    legend_below,
    lowest,
    names,
    nothing,
    spread,
)

__all__ = [
    "BLUE", "GREY", "RED", "SMALL", "STYLE", "WIDTH", "by_layer", "closed", "colours", "curves", "depth_profiles",
    "differences", "doses", "dragged", "globe", "grid", "heatmaps", "label_ends", "legend_below", "lowest", "names",
    "nothing", "slider", "spheres", "spread", "toward_the_viewer", "trends",
]  # fmt: skip
