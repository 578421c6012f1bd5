"""The cone of each model over its depth, frame by frame."""

from collections.abc import Mapping

import numpy as np

from ... import models, plots
from .measurements import DEPTHS, Cones


def over_depth(drawn: Mapping[str, Cones], name: str):
    """A slider over depth in place of the figure `name`: a frame has a sphere a model, each at the same share of depth.

    An entry that a model did not keep is replaced by the nearest one that it kept; each sphere names its own.
    """
    frames = {}
    for share in np.linspace(0, 1, DEPTHS):
        points = {}
        for model, cones in drawn.items():
            last = max(cones.depths)
            entry = min(cones.depths, key=lambda kept, last=last: abs(kept - round(share * last)))
            points[f"{models.shown(model)}\nentry {entry} of {last}"] = cones.depths[entry]
        frames[f"{share:.0%}"] = plots.spheres(points)
    return plots.slider(frames, name, "depth")
