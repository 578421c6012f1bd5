"""Figures of models that differ in one size: readings by label, profiles over depth, paths over the loss."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..paper.claims import OWN, Claim
from ..paper.verdicts import FALLS, falls_with_size
from ..plots import BLUE, RED, STYLE, closed, colours
from ..runs import readings as run_paths
from ..runs.readings import SYMBOLS
from ..runs.run import Run


def readings(tables: Mapping[str, pd.DataFrame], xlabel: str) -> Figure:
    """A column of panels a table of readings (`run_paths`): rho and tau above, late-half mu below.

    A dot a seed, a line through the means over the seeds; labels stand at equal distances.
    """
    with plt.rc_context(STYLE):
        size = {"figsize": (2.3 * len(tables) + 0.6, 4.2), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(2, len(tables), sharey="row", **size)
        for (title, table), (above, below) in zip(tables.items(), axes.T, strict=True):
            for axis, name, colour in ((above, "rho", BLUE), (above, "tau", RED), (below, "late_half", "0.35")):
                _dots(axis, run_paths.by_seed(table, name), colour, SYMBOLS[name])
            above.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            above.set_title(title)
        axes[0, 0].set_ylim(axes[0, 0].get_ylim()[0], 1.05)  # limits last: they end the autoscaling of the whole row
        axes[1, 0].set_ylim(0, None)
        axes[0, 0].set_ylabel("rank correlation of μ with depth")
        axes[1, 0].set_ylabel(SYMBOLS["late_half"])
        axes[0, 0].legend(fontsize=8)
        figure.supxlabel(xlabel, fontsize=9)
    return closed(figure)


def _dots(axis, table: pd.DataFrame, colour: str, label: str) -> None:
    at = np.arange(len(table))
    for seed in table:
        axis.plot(at, table[seed], "o", color=colour, markersize=3.5, alpha=0.6)
    axis.plot(at, table.mean(axis=1), color=colour, linewidth=1, label=label)
    axis.set_xticks(at, table.index)


def profiles(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel a table: mean cosine mu over the entries 0..L (its index), a line a column."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(tables), figsize=(3.2 * len(tables) + 0.4, 3), sharey=True, squeeze=False, layout="constrained"
        )
        for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
            for name, colour in zip(table, colours(len(table.columns)), strict=True):
                axis.plot(table.index, table[name], ".-", linewidth=1, color=colour, label=name)
            axis.set(title=title, xlabel="entry of the residual stream")
            axis.legend(fontsize=8)
        axes[0, 0].set(ylabel="mean cosine μ", ylim=(0, None))
    return closed(figure)


def paths(runs: Sequence[Run], loss: float) -> Figure:
    """rho and late-half mu over the validation loss during training (it falls to the right): a line a run.

    Labels by colour. Dashed: `loss`, where the runs are compared. The dot is the last checkpoint.
    """
    labels = list(dict.fromkeys(run.label for run in runs))
    colour_of = dict(zip(labels, colours(len(labels)), strict=True))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.1), layout="constrained")
        for axis, name in zip(axes, ("rho", "late_half"), strict=True):
            for run in runs:
                new = run.label if run is next(r for r in runs if r.label == run.label) else None
                how = {"color": colour_of[run.label], "linewidth": 1, "markevery": [-1], "markersize": 3.5}
                axis.plot(run.path.validation_loss, run.path[name], "-o", label=new, **how)
            axis.axvline(loss, color="0.5", linestyle="--", linewidth=0.8)
            axis.set(xlabel="validation loss (nats a token)", ylabel=SYMBOLS[name])
            axis.invert_xaxis()
        axes[1].set_ylim(0, None)
        axes[1].legend(fontsize=8)
    return closed(figure)


def falling_claims(
    where: str, what: str, readings: pd.DataFrame, published: Mapping[str, tuple[str, str]] | None = None
) -> list[Claim]:
    """One claim for each of `SYMBOLS`: it falls over the labels, by the rule `FALLS` with intervals over the seeds.

    where, what
        The two parts of the claim, such as "tuned rate" and "the wider the MLP, the lower".
    published
        For a quantity its source and what the paper has; the others are claims of this book.
    """
    claims = []
    for quantity, symbol in SYMBOLS.items():
        source, there = (published or {}).get(quantity, (OWN, "not stated"))
        end, steps = run_paths.differences(readings, quantity)
        verdict = falls_with_size(end.interval, [step.interval for step in steps])
        here = run_paths.chain(readings, quantity)
        claims.append(
            Claim(
                claim=f"{where}: {what} {symbol}",
                source=source,
                published=there,
                here=here,
                rule=f"{FALLS}; over seeds",
                verdict=verdict,
            )
        )
    return claims
