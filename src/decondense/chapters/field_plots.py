"""Figures of losses and training: forces by angle, vector fields on a sphere, doses, loss curves, benchmark gains."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..plots import BLUE, RED, STYLE, closed, colours


def forces(table: pd.DataFrame) -> Figure:
    """`fields.by_angle` as lines, each divided by its largest size, so that shapes can be compared."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 3.0), layout="constrained")
        for name, colour in zip(table, colours(len(table.columns), "colorblind"), strict=True):
            axis.plot(table.index, table[name] / table[name].abs().max(), label=name, color=colour)
        axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set(
            xlabel="angle between two tokens (degrees)", ylabel="force, apart is positive", xticks=range(0, 181, 45)
        )
        axis.legend(fontsize=8)
    return closed(figure)


def vector_fields(places: dict[str, np.ndarray], pushes: dict[str, np.ndarray], length: float = 0.45) -> Figure:
    """For each loss the tokens on the unit sphere and the force on each; the longest arrow has the given length."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(places), figsize=(2.7 * len(places), 2.9), subplot_kw={"projection": "3d"}, layout="constrained"
        )
        for axis, name in zip(np.atleast_1d(axes), places, strict=True):
            _globe(axis)
            xyz, push = places[name], pushes[name]
            arrows = length * push / max(np.linalg.norm(push, axis=1).max(), 1e-12)
            axis.scatter(*xyz.T, s=9, color=BLUE, depthshade=True)
            axis.quiver(*xyz.T, *arrows.T, color=RED, linewidth=0.9, arrow_length_ratio=0.3)
            axis.set_title(name)
    return closed(figure)


def places(moments: dict[str, np.ndarray], number: int) -> Figure:
    """The directions of the tokens of each flow (`fields.flow`) at one moment, on the unit sphere."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(moments), figsize=(2.7 * len(moments), 2.9), subplot_kw={"projection": "3d"}, layout="constrained"
        )
        for axis, (name, path) in zip(np.atleast_1d(axes), moments.items(), strict=True):
            _globe(axis)
            axis.scatter(*(path[number] / np.linalg.norm(path[number], axis=1, keepdims=True)).T, s=9, color=BLUE)
            axis.set_title(name)
    return closed(figure)


def _globe(axis) -> None:
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    axis.plot_wireframe(np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v), color="0.85", linewidth=0.4)
    axis.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
    axis.set_box_aspect((1, 1, 1))
    axis.view_init(elev=20, azim=20)
    axis.set_axis_off()


def doses(table: pd.DataFrame, ylabel: str, xlabel: str) -> Figure:
    """A quantity against a dose, one dot a seed and a line through their means; doses stand at equal distances.

    `table` has one row a dose, in its order, and one column a seed (`run_tables.by_seed`).
    """
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.2, 3.0), layout="constrained")
        at = np.arange(len(table))
        for seed in table:
            axis.plot(at, table[seed], "o", color=BLUE, markersize=4, alpha=0.6)
        axis.plot(at, table.mean(axis=1), color=RED, linewidth=1, label="mean over seeds")
        axis.set_xticks(at, table.index)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.legend(fontsize=8)
    return closed(figure)


def by_layer(table: pd.DataFrame, ylabel: str) -> Figure:
    """One line a column over the entries 0..L of the residual stream."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 3.0), layout="constrained")
        for name, colour in zip(table, colours(len(table.columns), "colorblind"), strict=True):
            axis.plot(table.index, table[name], label=name, color=colour, marker=".", linewidth=1)
        axis.axhline(0, color="0.7", linewidth=0.8)
        axis.set(xlabel="entry of the residual stream", ylabel=ylabel)
        axis.legend(fontsize=8)
    return closed(figure)


def curves(tables: dict[str, pd.DataFrame], column: str, ylabel: str) -> Figure:
    """One logged number over the steps of training, one line a run."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 3.0), layout="constrained")
        for (name, table), colour in zip(tables.items(), colours(len(tables), "colorblind"), strict=True):
            axis.plot(table["step"], table[column], label=name, color=colour, linewidth=1)
        axis.set(xlabel="step", ylabel=ylabel)
        axis.legend(fontsize=8)
    return closed(figure)


def gains(table: pd.DataFrame, ylabel: str, published: Sequence[float] | None = None) -> Figure:
    """Differences with their intervals (`run_tables.against`), one row a condition, beside the published ones."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.5, 0.45 * len(table) + 1.2), layout="constrained")
        at = np.arange(len(table))[::-1]
        axis.hlines(at, table["low"], table["high"], color=BLUE, linewidth=2, alpha=0.5)
        axis.plot(table["difference"], at, "o", color=BLUE, markersize=5, label="here, 95 % interval over items")
        if published is not None:
            axis.plot(published, at, "D", color=RED, markersize=5, label="published")
        axis.axvline(0, color="0.7", linewidth=0.8)
        axis.set_yticks(at, table.index)
        axis.set(xlabel=ylabel)
        figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return closed(figure)
