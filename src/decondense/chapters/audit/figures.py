"""Figures of the audit: what the printed cells allow."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ...plots import STYLE, WIDTH, closed, grid
from .runs import GRANULAR


def runs_map(found: pd.DataFrame, chance: pd.DataFrame) -> Figure:
    """How many of a row's eight cells each rule allows, and in brackets how many it would by chance (`runs.runs`)."""
    text = found.astype(int).astype(str) + "  (" + chance.map("{:.1f}".format) + ")"
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 0.235 * len(found) + 0.9), layout="constrained")
        image = _grid(axis, found.astype(float), text, (0, len(GRANULAR)))
        figure.colorbar(image, ax=axis, label="cells of 8 allowed", shrink=0.5)
        axis.set_xticklabels([name.replace(", ", "\n") for name in found.columns])
    return closed(figure)


def cells_map(cells: pd.DataFrame, rule: str) -> Figure:
    """Every countable cell as printed; pale where `rule` allows it, dark where it does not (`runs.cells`)."""
    text = (cells["mean"].map("{:.1f}".format) + " ± " + cells["std"].map("{:.1f}".format)).unstack()
    forbidden = (~cells[rule]).unstack().astype(float)
    order = list(GRANULAR)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 0.235 * len(text) + 0.9), layout="constrained")
        _grid(axis, forbidden[order], text[order], (-0.1, 1.4))
        axis.set_xticklabels([name.replace("_", "\n") for name in order])
    return closed(figure)


def _grid(axis, values: pd.DataFrame, text: pd.DataFrame, limits: tuple) -> AxesImage:
    """An annotated grid, one row per row of the paper's tables, with a line between base models."""
    names = [
        f"{row[1]}  {row[2].replace('_', ' ')}{' (Table 3)' if row[0] == 'Table 3' else ''}" for row in values.index
    ]
    models = values.index.get_level_values("model")
    image = grid(axis, values.set_axis(names), text, "Blues", limits)
    axis.set(xlabel="", ylabel="")
    axis.xaxis.tick_top()
    axis.tick_params(axis="both", labelsize=7.5, length=0)
    axis.hlines(np.flatnonzero(models[1:] != models[:-1]) + 1, *axis.get_xlim(), color="0.3", linewidth=1)
    return image
