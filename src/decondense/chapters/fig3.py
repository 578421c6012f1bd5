"""Fig. 3: the width of the MLP, in runs that differ in nothing else: tables, figures and claims.

A table of readings is one of `runs.readings`; here a label is a width.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import metrics, paper
from ..paper.claims import BOOK, Claim, check_claim, judged
from ..paper.trends import METRICS, REPEATS, published_fall, published_text
from ..paper.verdicts import LEAST_UNITS, Test, Verdict, effect, not_testable
from ..plots import BLUE, RED, STYLE, WIDTH, closed, colours, label_ends, legend_below
from ..runs import tables as run_tables
from ..runs.readings import SYMBOLS, at_checkpoint, at_loss, by_seed, chain, common_loss, differences, learning_rate
from ..runs.run import Run
from ..stats import Estimate

FAMILY = "GPT2-like (controlled)"  # the paper's name for its four models
COMPARED = ("paper-like rate", "higher rate", "same loss")  # tables of readings that carry claims (`compared`)


# --- tables -----------------------------------------------------------------------------------------------------------


def rates(learning_rates: Sequence[float], steps: int, tokens: int) -> pd.DataFrame:
    """Learning rate x steps, how far Adam can move a weight: the paper's, and that of runs with so many steps here."""
    settings = paper.table("tableS1_settings").query("experiment == 'controlled_gpt2'").set_index("setting").value
    seen = float(settings.training_tokens)
    rows = {"paper": (float(settings.learning_rate), seen / float(settings.effective_batch_tokens), seen)}
    rows |= {f"here, rate {i}": (rate, steps, tokens) for i, rate in enumerate(learning_rates, start=1)}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["learning rate", "steps", "tokens"])
    return table.assign(**{"rate × steps": table["learning rate"] * table.steps})


def by_rate(runs: Sequence[Run], quantities: Sequence[str]) -> pd.DataFrame:
    """Means over the seeds after the last step: one row per width, one column per quantity and learning rate."""
    return at_checkpoint(runs).pivot_table(index="label", columns="learning_rate", values=list(quantities), sort=False)


def losses(runs: Sequence[Run]) -> pd.DataFrame:
    """Validation loss (nats a token), mean over the seeds: a row per width, a column a rate, and `before training`."""
    table = by_rate(runs, ["validation_loss"])["validation_loss"].rename_axis("MLP width")
    return table.assign(**{"before training": at_checkpoint(runs, 0).validation_loss.mean()})


def means(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means over the seeds of each table of readings, one below the other."""
    columns = ["learning_rate", "step", "validation_loss", *SYMBOLS]
    each = {name: table.groupby("label", sort=False)[columns].mean() for name, table in tables.items()}
    return pd.concat(each, names=["", "width"])


def compared(runs: Sequence[Run], learning_rates: Sequence[float]) -> dict[str, pd.DataFrame]:
    """The tables of `COMPARED`, from runs at the first two rates: after the last step of each, and at equal loss.

    The loss is the lowest that all runs at the second rate reach.
    """
    low, high = ([run for run in runs if learning_rate(run) == rate] for rate in learning_rates[:2])
    tables = (at_checkpoint(low), at_checkpoint(high), at_loss(high, common_loss(high)))
    return dict(zip(COMPARED, tables, strict=True))


def with_shared_seeds(runs: Sequence[Run]) -> list[Run]:
    """The runs whose seed was trained at every learning rate, so that rates are compared on the same seeds."""
    by_rate: dict[float, set[int]] = {}
    for run in runs:
        by_rate.setdefault(learning_rate(run), set()).add(run.seed)
    shared = set.intersection(*by_rate.values())
    return [run for run in runs if run.seed in shared]


def at_one_rate(runs: Sequence[Run]) -> dict[str, pd.DataFrame]:
    """For each learning rate two tables of readings: after the last step, and at the lowest loss all its runs reach."""
    tables = {}
    for rate in dict.fromkeys(map(learning_rate, runs)):
        alike = [run for run in runs if learning_rate(run) == rate]
        tables[f"{rate:g}, end"] = at_checkpoint(alike)
        tables[f"{rate:g}, same loss"] = at_loss(alike, common_loss(alike))
    return tables


def mean_mu(runs: Sequence[Run]) -> pd.DataFrame:
    """mu after the last step, mean over the seeds: one row per entry, one column per label."""
    labels = dict.fromkeys(run.label for run in runs)
    return pd.DataFrame({label: np.mean([run.mu[-1] for run in runs if run.label == label], 0) for label in labels})


def published_mu() -> pd.DataFrame:
    """Mean cosines read off the heat maps of Fig. 3a: one row per entry, one column per width."""
    return pd.DataFrame({
        model.removeprefix("MLP"): paper.mean_cosines("Fig3a", model).cosine_mean
        for model in paper.trend("Fig3", "spearman", FAMILY).model
    })  # fmt: skip


def published() -> pd.DataFrame:
    """Fig. 3 as a table of readings: rho and tau of 3b, late-half mu of 3a; the only seed is 0."""
    mu = published_mu()
    half = metrics.mean_of_last(mu.T.to_numpy(), None)
    rho, tau = (paper.trend("Fig3", metric, FAMILY).value for metric in ("spearman", "kendall"))
    return pd.DataFrame({"label": mu.columns, "seed": 0, "rho": rho, "tau": tau, "late_half": half})


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(tables: Mapping[str, pd.DataFrame], check: pd.DataFrame) -> list[Claim]:
    """The wider, the lower each of `SYMBOLS`, in each table of `COMPARED`; and the check run agrees with its record.

    The first two are the paper's claim at two rates. The third is this book's question: is it still so at equal loss?
    """
    first, second = (f"rate {tables[name].learning_rate.iloc[0]:g}" for name in COMPARED[:2])
    titles = dict(zip(COMPARED, (f"{first}, like the paper's", second, f"{second}, at the same loss"), strict=True))
    asked = [
        _falls(title, tables[name], quantity, own=name == COMPARED[2])
        for name, title in titles.items()
        for quantity in SYMBOLS
    ]
    return judged([*asked, check_claim(check)])


def _falls(where: str, readings: pd.DataFrame, quantity: str, own: bool) -> Claim:
    """Of the widest minus the narrowest, seed by seed; tau is shown beside rho and not counted."""
    end, steps = differences(readings, quantity)
    source, there = _said(quantity)
    return Claim(
        claim=f"{where}: the wider the MLP, the lower {SYMBOLS[quantity]} (widest - narrowest)",
        source=BOOK if own else source,
        published=f"at the end of training: {there}" if own else there,
        here=f"{chain(readings, quantity)}; widest - narrowest {run_tables.text(end, 3)}",
        rule=f"{sum(step.interval.low > 0 for step in steps)} of {len(steps)} steps rise beyond their interval",
        verdict=_verdict(end, quantity, source, undefined=int(readings[quantity].isna().sum())),
        repeats=REPEATS.get(quantity, ""),
    )


def _verdict(end: Estimate, quantity: str, source: str, undefined: int) -> Sequence[Test] | Verdict:
    """rho and tau have no value where mu varies by less than its resolution: of too few seeds, no verdict."""
    if undefined and end.units < LEAST_UNITS:
        return not_testable(f"{undefined} runs have no {SYMBOLS[quantity]}, and too few have one")
    return [effect(end, published_effect(quantity), f"the published effect, {source}")]


def _said(quantity: str) -> tuple[str, str]:
    if quantity in METRICS:
        return "Fig. 3b", published_text("Fig. 3b", quantity, FAMILY)
    return "Fig. 3a", " → ".join(f"{value:.2f}" for value in published().late_half) + " (means of the heat maps)"


def published_effect(quantity: str) -> float:
    """The paper's widest model minus its narrowest, in one of `SYMBOLS`: the smallest effect that counts here."""
    if quantity in METRICS:
        return published_fall("Fig. 3b", quantity, FAMILY)
    half = published().late_half
    return float(half.iloc[-1] - half.iloc[0])


# --- figures ----------------------------------------------------------------------------------------------------------


def trends(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A column of panels a table of readings (`runs.readings`): rho and tau above, late-half mu below.

    A dot per seed, a line through the means over the seeds; labels stand at equal distances.
    """
    with plt.rc_context(STYLE):
        size = {"figsize": (min(WIDTH, 2.3 * len(tables) + 0.6), 4.4), "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(2, len(tables), sharey="row", **size)
        for (title, table), (above, below) in zip(tables.items(), axes.T, strict=True):
            for axis, name, colour in ((above, "rho", BLUE), (above, "tau", RED), (below, "late_half", "0.35")):
                _dots(axis, by_seed(table, name), colour, SYMBOLS[name])
            above.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            above.set_title(title)
        axes[0, 0].set_ylim(axes[0, 0].get_ylim()[0], 1.05)  # limits last: they end the autoscaling of the whole row
        axes[1, 0].set_ylim(0, None)
        axes[0, 0].set_ylabel("rank correlation of μ with depth")
        axes[1, 0].set_ylabel(SYMBOLS["late_half"])
        legend_below(figure)
        for axis in axes[1]:
            axis.set_xlabel("width of the MLP")
    return closed(figure)


def _dots(axis, table: pd.DataFrame, colour: str, label: str) -> None:
    at = np.arange(len(table))
    for seed in table:
        axis.plot(at, table[seed], "o", color=colour, markersize=3.5, alpha=0.6)
    axis.plot(at, table.mean(axis=1), color=colour, linewidth=1, label=label)
    axis.set_xticks(at, table.index)


def profiles(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel per table: mean cosine mu over the entries 0..L (its index), a line per column."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1,
            len(tables),
            figsize=(min(WIDTH, 3.2 * len(tables) + 0.4), 3.2),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
            for name, colour in zip(table, colours(len(table.columns)), strict=True):
                axis.plot(table.index, table[name], ".-", linewidth=1, color=colour, label=name)
            axis.set(title=title, xlabel="entry of the residual stream")
            axis.xaxis.get_major_locator().set_params(integer=True)
        axes[0, 0].set(ylabel="mean cosine μ", ylim=(0, None))
        for axis, table in zip(axes.flat, tables.values(), strict=True):
            ends = zip(table.iloc[-1], table, colours(len(table.columns)), strict=True)
            label_ends(axis, list(ends), table.index[-1])
    return closed(figure)


def paths(runs: Sequence[Run], loss: float) -> Figure:
    """rho and late-half mu over the validation loss during training (it falls to the right): a line per run.

    Labels by colour. Dashed: `loss`, where the runs are compared. The dot is the last checkpoint.
    """
    labels = list(dict.fromkeys(run.label for run in runs))
    colour_of = dict(zip(labels, colours(len(labels)), strict=True))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.3), layout="constrained")
        for axis, name in zip(axes, ("rho", "late_half"), strict=True):
            for run in runs:
                new = run.label if run is next(r for r in runs if r.label == run.label) else None
                how = {"color": colour_of[run.label], "linewidth": 1, "markevery": [-1], "markersize": 3.5}
                axis.plot(run.path.validation_loss, run.path[name], "-o", label=new, **how)
            axis.axvline(loss, color="0.5", linestyle="--", linewidth=0.8)
            axis.set(xlabel="validation loss (nats a token)", ylabel=SYMBOLS[name])
            axis.invert_xaxis()
        axes[1].set_ylim(0, None)
        legend_below(figure)
    return closed(figure)
