"""From the published Tables 2, 3 and 5 to the tables of the audit: averages, ranks, t-tests, runs.

All values in per cent. A printed value stands for every value that rounds to it: a closed interval of half a unit of
its last digit. A check holds (`CONSISTENT`) when some values within these intervals satisfy it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata, ttest_ind_from_stats

from ... import stats
from ...base.errors import unknown
from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, ROW, TASKS
from ...stats import Interval
from . import granularity

CONSISTENT = "consistent"
INCONSISTENT = "not consistent for any value within rounding"
OPEN = "cannot be told"

# truthfulqa_mc2 is a mean of probabilities, and mmlu's thousands of items allow every printed digit.
GRANULAR = tuple(task for task in TASKS if task not in ("truthfulqa", "mmlu"))
SEEDS = 3  # as the paper states for mid-training
LABELS = {  # a printed label -> the p-values it stands for, in the levels that Table 2 uses
    "n.s.": (0.05, 1.0),
    "p<0.05": (0.01, 0.05),
    "p<0.01": (0.001, 0.01),
    "p<0.001": (0.0001, 0.001),
    "p<0.0001": (0.0, 0.0001),
}
TIES = ("average", "min", "max", "dense")  # the place of equal values, as `scipy.stats.rankdata` names it
READINGS = ("student", "welch", "one-sample")


def rounded(value: float, decimals: int) -> Interval:
    """The values that print as `value` with so many decimals, ends included."""
    half = 0.5 * 10.0**-decimals
    return Interval(value - half, value + half)


def outcome(a: Interval, b: Interval) -> str:
    """`CONSISTENT` where two intervals meet, `INCONSISTENT` where they do not, `OPEN` where a bound is missing."""
    if np.isnan([*a, *b]).any():
        return OPEN
    return CONSISTENT if a[0] <= b[1] + 1e-9 and b[0] <= a[1] + 1e-9 else INCONSISTENT


# --- averages and ranks ---------------------------------------------------------------------------------------------


def averages() -> pd.DataFrame:
    """Is the printed average that of the ten printed tasks? By row: printed, low and high of the tasks, outcome."""
    means = accuracies.wide()
    low, high = (means[list(TASKS)].mean(axis=1) + side * granularity.HALF for side in (-1, 1))
    found = pd.DataFrame({"printed": means.average, "low": low, "high": high})
    found["outcome"] = [outcome(rounded(row.printed, 2), Interval(row.low, row.high)) for row in found.itertuples()]
    return found


def ranks() -> pd.DataFrame:
    """Mean over the ten tasks of a condition's place among the eight of its base model: printed, and by `TIES`.

    Computed from the printed accuracies. `low` and `high` are the mean places that the unrounded accuracies could give
    (equal printed values in any order).
    """
    parts = []
    for _, means in accuracies.mid_trained().groupby(level="model"):
        by_task = means[list(TASKS)].to_numpy().T
        rules = {rule: rankdata(-by_task, rule, axis=-1).mean(0) for rule in TIES}
        ends = {"low": rules["min"], "high": rules["max"]}
        parts.append(pd.DataFrame({"printed": means["rank"], **rules, **ends}, index=means.index))
    return pd.concat(parts)


def bold() -> pd.DataFrame:
    """Columns of Table 2 whose bold entries are not the best printed ones: by (model, benchmark), best and bold."""
    found = accuracies.printed()
    found = found[(found.table == "Table 2") & found.model.isin(MID_TRAINED)]
    rows = []
    for (model, benchmark), part in found.groupby(["model", "benchmark"]):
        best = part["mean"] == (part["mean"].min() if benchmark == "rank" else part["mean"].max())
        if (best != (part.bold == 1)).any():
            names = [", ".join(part.condition[chosen]) for chosen in (best, part.bold == 1)]
            rows.append({"model": model, "benchmark": benchmark, "best": names[0], "bold": names[1]})
    return pd.DataFrame(rows, columns=["model", "benchmark", "best", "bold"])


# --- t-tests --------------------------------------------------------------------------------------------------------


def p_values(
    reading: str, reference: tuple[float, float], other: tuple[float, float], seeds: int = SEEDS
) -> tuple[float, Interval]:
    """p of reference against other, each (mean, std) of averages with two decimals, and its range within rounding.

    reading
        "student" (equal variances) and "welch" give a row without a spread, which was not trained, the spread 0 and
        as many runs; "one-sample" takes its value as fixed. `seeds` is the number of runs of the other; the reference
        has three.

    The range is taken over both ends of the means, and 11 values of each spread from end to end.
    """
    if reading not in READINGS:
        raise unknown("reading of a label", reading, READINGS)
    (mean_a, std_a), (mean_b, std_b) = reference, other
    untrained = np.isnan(std_b)
    offsets = np.array([0.0, -0.005, 0.005])[:, None, None, None], np.array([0.0, -0.005, 0.005])[:, None, None]
    grid = np.concatenate([[0.0], np.linspace(-0.005, 0.005, 11)])
    a, b = mean_a + offsets[0], mean_b + offsets[1]
    s_a = np.maximum(std_a + grid[:, None], 0)
    s_b = np.maximum(0.0 if untrained else std_b + grid, 0)
    if reading == "one-sample":
        fixed = ttest_ind_from_stats(a, s_a, SEEDS, b, 0.0, np.inf, equal_var=False)  # known as if from endless runs
        p = fixed.pvalue if untrained else np.array([np.nan])
    else:
        p = ttest_ind_from_stats(a, s_a, SEEDS, b, s_b, seeds, equal_var=reading == "student").pvalue
    return float(p.flat[0]), Interval(float(p.min()), float(p.max()))


def labels(seeds: Mapping[tuple[str, str], int] | None = None) -> pd.DataFrame:
    """Each label of Tables 2 and 3 beside the p-value of the printed average, spread and number of runs.

    One row a (table, model, condition, reading): label, p, low and high within rounding, Holm's p over the row's base
    model and table (from p, and from high), outcome. `CONSISTENT`: the whole range carries the label; `OPEN`: a part.
    `seeds` gives the number of runs of a (model, condition) where it is not three.
    """
    found = accuracies.printed()
    found = found[(found.benchmark == "average") & found.label.notna()]
    rows = []
    for (table, model), part in found.groupby(["table", "model"], sort=False):
        reference = part[part.label == "ref."].iloc[0]
        for reading in READINGS:
            others = part[(part.label != "ref.") & (part["std"].isna() | (reading != "one-sample"))]
            tests = []
            for other in others.itertuples():
                n = (seeds or {}).get((model, other.condition), SEEDS)
                p, span = p_values(reading, (reference["mean"], reference["std"]), (other.mean, other.std), n)
                tests.append((table, model, other.condition, reading, other.label, p, *span))
            corrected = [stats.holm([test[column] for test in tests]) for column in (5, 7)]
            rows += [(*test, *holm) for test, *holm in zip(tests, *corrected, strict=True)]
    columns = [*ROW, "reading", "label", "p", "low", "high", "holm", "holm_high"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["outcome"] = [carries(row.label, Interval(row.low, row.high)) for row in frame.itertuples()]
    return frame


def carries(label: str, p: Interval) -> str:
    """Whether a range of p-values carries a printed label of `LABELS`: all of it, none of it, or `OPEN`."""
    low, high = LABELS[label]
    if low <= p[0] and p[1] < high + (high == 1):
        return CONSISTENT
    return OPEN if p[0] < high and p[1] >= low else INCONSISTENT


# --- runs and items -------------------------------------------------------------------------------------------------


def cells(ddof: int = 1) -> pd.DataFrame:
    """Which of `granularity.RULES` allow each countable cell of Tables 2 and 3: mean, std, and a bool for each rule.

    Rows with a spread; `GRANULAR` tasks. The spread is taken as divided by (runs - ddof).
    """
    found = accuracies.printed().set_index([*ROW, "benchmark"])[["mean", "std"]].dropna()
    found = found[found.index.get_level_values("benchmark").isin(GRANULAR)]
    for name, rule in granularity.RULES.items():
        found[name] = [
            rule(float(cell.mean), float(cell.std), n_items=accuracies.limit(cell.Index[1]), ddof=ddof)
            for cell in found[["mean", "std"]].itertuples()
        ]
    return found


def runs(ddof: int = 1) -> pd.DataFrame:
    """How many of a row's eight countable cells each rule allows: `cells`, counted by row."""
    return cells(ddof)[list(granularity.RULES)].groupby(level=ROW).sum()


def runs_by_chance() -> pd.DataFrame:
    """How many of a row's eight countable cells each rule would allow by chance (`granularity.chance`)."""
    found = cells()
    for name in granularity.RULES:
        chances = zip(found["std"], found.index.get_level_values("model"), strict=True)
        found[name] = [granularity.chance(name, float(std), accuracies.limit(model)) for std, model in chances]
    return found[list(granularity.RULES)].groupby(level=ROW).sum()


def single_runs(sizes: range = range(50, 1000)) -> pd.DataFrame:
    """Which numbers of items a task the rows without a spread allow, if each value is the accuracy of one run.

    The untrained rows of Table 2, and Table 5. By row: the smallest of `sizes` that allows all eight countable cells,
    how many sizes do (most near 1,000, where every printed digit can be), and the cells that the size of the released
    scripts allows.
    """
    means, rows = accuracies.wide(), {}
    for row in means.index[accuracies.wide("std").average.isna()]:
        cells = [float(value) for value in means.loc[row, list(GRANULAR)]]
        fits = granularity.fitting_sizes(cells, sizes)
        allowed = sum(granularity.is_mean_of(cell, 0.0, 1, accuracies.limit(row[1])) for cell in cells)
        rows[row] = {"smallest": fits[0], "sizes": len(fits), "released": accuracies.limit(row[1]), "cells": allowed}
    return pd.DataFrame(rows).T.rename_axis(ROW)


def likely_runs() -> dict[tuple[str, str], int]:
    """Rows of Table 2 where no mean of three runs gives all cells, and one of two does: {(model, condition): 2}."""
    found = runs().loc["Table 2"]
    two = (found["mean of 3"] < len(GRANULAR)) & (found["mean of 2"] == len(GRANULAR))
    return dict.fromkeys(found.index[two], 2)


def labels_of_two_runs() -> pd.DataFrame:
    """`labels` of the rows of `likely_runs`, by Student's test, as if they rested on two runs."""
    two = likely_runs()
    found = labels(two)
    found = found[found.reading == "student"]
    return found[pd.MultiIndex.from_frame(found[["model", "condition"]]).isin(list(two))]
