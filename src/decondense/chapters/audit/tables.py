"""From the published Tables 2, 3 and 5 to the tables of the audit: averages, ranks, bold entries, t-tests.

All values in per cent. A printed value stands for every value that rounds to it (`paper.rounding`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata, ttest_ind_from_stats

from ... import stats
from ...base.errors import unknown
from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, ROW, SEEDS, TASKS
from ...paper.rounding import CONSISTENT, HALF, INCONSISTENT, OPEN, outcome, rounded
from ...stats import Interval

LABELS = {  # a printed label -> the p-values it stands for, in the levels that Table 2 uses
    "n.s.": (0.05, 1.0),
    "p<0.05": (0.01, 0.05),
    "p<0.01": (0.001, 0.01),
    "p<0.001": (0.0001, 0.001),
    "p<0.0001": (0.0, 0.0001),
}
TIES = ("average", "min", "max", "dense")  # the place of equal values, as `scipy.stats.rankdata` names it
READINGS = ("student", "welch", "one-sample")


# --- averages and ranks ---------------------------------------------------------------------------------------------


def averages() -> pd.DataFrame:
    """Is the printed average that of the ten printed tasks? By row: printed, low and high of the tasks, outcome."""
    means = accuracies.wide()
    low, high = (means[list(TASKS)].mean(axis=1) + side * HALF for side in (-1, 1))
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
    reading: str,
    reference: tuple[float, float],
    other: tuple[float, float],
    seeds: tuple[int, int] = (SEEDS, SEEDS),
) -> tuple[float, Interval]:
    """p of reference against other, each (mean, std) of averages with two decimals, and its range within rounding.

    reading
        "student" (equal variances) and "welch" give a row without a spread, which was not trained, the spread 0 and
        as many runs; "one-sample" takes its value as fixed.
    seeds
        Number of runs of the reference and of the other.

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
        fixed = ttest_ind_from_stats(a, s_a, seeds[0], b, 0.0, np.inf, equal_var=False)  # known as if from endless runs
        p = fixed.pvalue if untrained else np.array([np.nan])
    else:
        p = ttest_ind_from_stats(a, s_a, seeds[0], b, s_b, seeds[1], equal_var=reading == "student").pvalue
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
        reference = next(part[part.label == "ref."].itertuples())
        for reading in READINGS:
            others = part[(part.label != "ref.") & (part["std"].isna() | (reading != "one-sample"))]
            tests = []
            for other in others.itertuples():
                n = tuple((seeds or {}).get((model, which), SEEDS) for which in (reference.condition, other.condition))
                p, span = p_values(reading, (reference.mean, reference.std), (other.mean, other.std), n)
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
