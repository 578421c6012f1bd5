"""Training with and without dispersion, seed by seed: differences, what they could have shown, claims."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

from .. import paper, stats
from ..paper.claims import Claim
from ..paper.verdicts import ABOVE_0, BELOW_0, not_raised, on_one_side
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
    "late-half μ": lambda run: run.late_half(),
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


def largest_spread(gain: float) -> float:
    """The spread from run to run at which the difference of two single runs is 1.96 of its standard errors.

    gain / (1.96 sqrt(2)), in the units of the gain.
    """
    return gain / (1.96 * 2**0.5)


def claims(compared: pd.DataFrame, label: str, one_percent: float) -> list[Claim]:
    """Four claims on one condition of `comparisons`.

    one_percent
        How much higher a validation loss may be and still count as not raised: in nats, 1 % of the lowest validation
        loss after the last step of plain training, over all models and seeds.

    The condition `dispersion` is that of the paper; others are this book's own.
    """
    ours = label != "dispersion"
    gain = "not stated" if ours else f"{published().difference['average']:+.2f}, one run each"
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
