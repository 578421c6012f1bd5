"""Table 5: training from scratch with and without dispersion, seed by seed, and what differences could have shown."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import chi2

from .. import paper, plots, stats
from ..paper import accuracies
from ..paper.claims import Claim, check_claim, number
from ..paper.verdicts import ABOVE_0, BELOW_0, BEYOND, beyond_spread, not_raised, on_one_side
from ..plots import STYLE, closed
from ..runs import tables
from ..runs.run import Run
from ..runs.tables import Quantity
from ..stats import LEVEL, Interval, Mean, detectable_mean, mean_and_interval


def average(column: str) -> Quantity:
    """Mean over the tasks of the mean over a task's items of one column of the items; a share becomes per cent."""
    scale = 100 if column == "score" else 1
    return lambda run: float(scale * run.evaluation.items.groupby("task")[column].mean().mean())


CONDITIONS = ("train", "dispersion")  # of Table 5
NOT_RAISED = (
    "interval over seeds at most +{:.3f} nats, 1 % of the lowest validation loss of train, in every model "
    "(in none wholly above: partly)"
)

QUANTITIES: dict[str, Quantity] = {  # after the last step
    "late-half μ": Run.late_half,
    "ρ": lambda run: run.look().rho,
    "τ": lambda run: run.look().tau,
    "validation loss": lambda run: run.validation_loss,
    "acc (%)": average("score"),
    "log-prob.": average("logprob"),
}


def comparisons(runs: Mapping[str, Sequence[Run]], baseline: str = "train") -> pd.DataFrame:
    """Each other condition minus the baseline, for each model and quantity of `QUANTITIES`, taken seed by seed.

    Columns: difference; `low`, `high`, its 95 % interval (Student's t over seeds); `p`; `p, Holm`, corrected for all
    rows of the table; `detectable`, the true difference that these seeds would have found with a chance of 80 %.
    Index: model, condition, quantity. A difference that is the same in every seed has no p-value and takes no part in
    the correction.
    """
    rows = {}
    for name, trained in runs.items():
        for quantity, value in QUANTITIES.items():
            table = tables.by_seed(trained, value)
            for label in table.index.drop(baseline):
                values = (table.loc[label] - table.loc[baseline]).dropna().to_numpy()
                found = mean_and_interval(values)
                rows[name, label, quantity] = [found.mean, *found.interval, found.p, detectable_mean(values)]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high", "p", "detectable"])
    found.index = pd.MultiIndex.from_tuples(found.index, names=["model", "condition", "quantity"])
    tested = found.p.dropna()
    found.insert(4, "p, Holm", pd.Series(stats.holm(tested), tested.index, dtype=float))
    return found


def intervals(table: pd.DataFrame, condition: str, quantity: str) -> list[Interval]:
    """The intervals of one condition and quantity of `comparisons`, one a model."""
    rows = table.xs((condition, quantity), level=("condition", "quantity"))
    return [Interval(row.low, row.high) for row in rows.itertuples()]


def spread(runs: Sequence[Run], quantity: Quantity) -> tuple[float, Interval]:
    """Standard deviation of a quantity from run to run, pooled over the `CONDITIONS` of Table 5, and its 95 % interval.

    Runs of other conditions take no part: the published difference is not one of theirs. The square has a chi-square
    distribution with (runs - conditions) degrees of freedom, if runs vary normally and alike in both conditions. NaN
    with one seed.
    """
    table = tables.by_seed([run for run in runs if run.label in CONDITIONS], quantity)
    freedom = int(table.notna().to_numpy().sum()) - len(table)
    if freedom == 0:
        return float("nan"), Interval(np.nan, np.nan)
    squares = float(table.sub(table.mean(axis=1), axis=0).pow(2).to_numpy().sum())
    low, high = (np.sqrt(squares / chi2.ppf(share, freedom)) for share in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return float(np.sqrt(squares / freedom)), Interval(float(low), float(high))


def published() -> pd.DataFrame:
    """Table 5 as printed: one row a benchmark and the average; columns train, dispersion, difference."""
    table = paper.table("table5_pretraining")
    found = table.pivot(index="benchmark", columns="condition", values="value")
    found = found.loc[table.benchmark.unique(), list(CONDITIONS)].rename_axis(columns=None)
    return found.assign(difference=found.dispersion - found.train)


def published_gain() -> float:
    """The difference of the two printed averages, in points."""
    return float(published().difference["average"])


def largest_spread(gain: float) -> float:
    """The spread from run to run at which the difference of two single runs is 1.96 of its standard errors.

    gain / (1.96 sqrt(2)), in the units of the gain.
    """
    return gain / (1.96 * 2**0.5)


def spreads(runs: Mapping[str, Sequence[Run]]) -> dict[str, tuple[float, Interval]]:
    """`spread` of the average on the benchmarks, a model each."""
    return {name: spread(trained, QUANTITIES["acc (%)"]) for name, trained in runs.items()}


def spread_table(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """The spread that the published gain allows, the largest that Table 2 prints for the model, and those seen here."""
    printed = accuracies.mid_trained("std").loc["Qwen3-0.6B"].average.max()
    rows = {"allowed": f"{largest_spread(published_gain()):.2f}", "Table 2, Qwen3-0.6B": f"{printed:.2f}"}
    rows |= {f"here, {name}": number(*found) for name, found in spreads(runs).items()}
    return pd.Series(rows, name="standard deviation (points)").to_frame()


def by_items() -> pd.DataFrame:
    """The published gain beside what other items would make of it: `accuracies.gain_of_average` of this table."""
    found = accuracies.gain_of_average()
    return found[found.table == "Table 5"].set_index("model")[["gain", "error", "flips_196"]]


# --- paper against here ---------------------------------------------------------------------------------------------


def claims(compared: pd.DataFrame, runs: Mapping[str, Sequence[Run]], check: pd.DataFrame) -> list[Claim]:
    """Four claims on each condition, one on the spread from run to run, and the check run.

    compared
        `comparisons` of the runs.
    check
        The table of `grid.check_run`.
    """
    least = min(run.validation_loss for trained in runs.values() for run in trained if run.label == "train")
    found, gain = spreads(runs), published_gain()
    here = "; ".join(f"{name} {number(*one)}" for name, one in found.items())
    by_chance = Claim(
        claim="the published gain of one run is more than small runs here differ by",
        published=f"{gain:+.2f}, one run each",
        here=f"spread {here}",
        rule=BEYOND,
        verdict=beyond_spread(largest_spread(gain), [interval for _, interval in found.values()]),
    )
    conditions = compared.index.unique("condition")
    return [
        *(claim for label in conditions for claim in condition_claims(compared, label, 0.01 * least)),
        by_chance,
        check_claim(check),
    ]


def condition_claims(compared: pd.DataFrame, label: str, one_percent: float) -> list[Claim]:
    """Four claims on one condition of `comparisons`.

    one_percent
        How much higher a validation loss may be and still count as not raised: in nats, 1 % of the lowest validation
        loss after the last step of plain training, over all models and seeds.

    The condition `dispersion` is that of the paper; others are this book's own.
    """
    ours = label != "dispersion"
    gain = "not stated" if ours else f"{published_gain():+.2f}, one run each"
    found = {name: intervals(compared, label, name) for name in QUANTITIES}
    here = {name: in_words(compared, label, name) for name in QUANTITIES}
    loss, acc, mu = "validation loss", "acc (%)", "late-half μ"
    rows = [
        ("lower late-half μ", "this book" if ours else "Fig. 7b (mid-training)", "not stated" if ours else "drawn", mu,
         BELOW_0, on_one_side(found[mu], -1)),
        ("validation loss is not raised", "this book", "not stated", loss, NOT_RAISED.format(one_percent),
         not_raised(found[loss], one_percent)),
        ("lower validation loss", "this book", "not stated", loss, BELOW_0, on_one_side(found[loss], -1)),
        ("higher average on the benchmarks", "this book" if ours else "Table 5", gain, acc, ABOVE_0,
         on_one_side(found[acc], 1)),
    ]  # fmt: skip
    return [
        Claim(
            claim=f"{label}: {claim}",
            source=source,
            published=there,
            here=here[name],
            rule=rule,
            verdict=verdict,
        )
        for claim, source, there, name, rule, verdict in rows
    ]


def in_words(compared: pd.DataFrame, condition: str, quantity: str) -> str:
    """The differences of one condition and quantity, a model each: `GPT-2 -0.013 [-0.014, -0.012]; Qwen3 ...`."""
    rows = compared.xs((condition, quantity), level=("condition", "quantity"))
    return "; ".join(
        f"{row.Index} {tables.text(Mean(row.difference, Interval(row.low, row.high), row.p), 3)}"
        for row in rows.itertuples()
    )


# --- figures --------------------------------------------------------------------------------------------------------


def along(runs: Mapping[str, Sequence[Run]], columns: Mapping[str, str]) -> Figure:
    """Columns of `Run.path` against the steps (logarithmic; step 0 is left of them), mean and range over seeds.

    One row of panels for each of `columns` (name of the column to label of the axis), one column a model.
    """
    labels = list(tables.first([run for trained in runs.values() for run in trained]))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(columns), len(runs), figsize=(3.1 * len(runs) + 0.6, 2.1 * len(columns) + 0.7),
            squeeze=False, sharex="col", layout="constrained",
        )  # fmt: skip
        for row, (name, label) in zip(axes, columns.items(), strict=True):
            for axis, trained in zip(row, runs.values(), strict=True):
                _paths(axis, trained, name, labels)
            row[0].set_ylabel(label)
        for axis, model in zip(axes[0], runs, strict=True):
            axis.set_title(model)
        for axis in axes[-1]:
            axis.set_xlabel("step")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, fontsize=8, loc="outside lower center", ncols=len(labels))
    return closed(figure)


def _paths(axis, trained: Sequence[Run], name: str, labels: Sequence[str]) -> None:
    steps = trained[0].path["step"].to_numpy()
    at = np.where(steps == 0, 0.5, steps)
    for label, colour in zip(labels, plots.colours(len(labels), "colorblind"), strict=True):
        values = np.array([run.path[name] for run in trained if run.label == label])
        axis.plot(at, values.mean(0), color=colour, linewidth=1, marker=".", markersize=4, label=label)
        axis.fill_between(at, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.set_xscale("log")
    shown = [step for step in (1, 10, 100, 1_000, 10_000) if step <= steps[-1]]
    axis.set_xticks([0.5, *shown], ["0", *map(str, shown)])
    axis.minorticks_off()


def gains(compared: pd.DataFrame) -> Figure:
    """The differences of the average on the benchmarks, with the published one beside the condition of the paper."""
    table = compared.xs("acc (%)", level="quantity")
    printed = [published_gain() if label == "dispersion" else np.nan for _, label in table.index]
    return plots.differences(table, "acc minus that of train (percentage points)", printed, "seeds")
