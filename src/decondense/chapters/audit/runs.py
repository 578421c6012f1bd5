"""How many runs, on how many items, the printed cells of Tables 2, 3 and 5 can come from; what follows for the labels.

All values in per cent. Items are counted as the released scripts evaluate them: the first 500 or 200 of every task.
"""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from ... import stats
from ...paper import accuracies
from ...paper.accuracies import ROW, SEEDS, TASKS
from . import granularity, tables

# truthfulqa_mc2 is a mean of probabilities, and mmlu's thousands of items allow every printed digit.
GRANULAR = tuple(task for task in TASKS if task not in ("truthfulqa", "mmlu"))


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


def without_spread() -> pd.DataFrame:
    """The countable cells that print a spread of 0.0: mean, and whether any number of runs up to 16 can give them.

    Runs that differ at all have a spread of at least a step over the root of their number, which prints as 0.0 for
    more than 16 runs only: so all runs are equal, and the mean is that of one.
    """
    found = cells()
    found = found[found["std"] == 0]
    can = [granularity.is_mean_of(row.mean, 0.0, 1, accuracies.limit(row.Index[1])) for row in found.itertuples()]
    return found[["mean"]].assign(possible=can)


# --- one run ----------------------------------------------------------------------------------------------------------


def on_the_grid_of_one_run() -> pd.DataFrame:
    """By row with a spread: its countable cells, how many have a mean that one run can have, and the expected number.

    expected: sum over the cells of the chance that the mean of three runs with this spread is one (`chance_of_one`).
    p: chance of as many or more. Sums over the rows of a base model are tested in `grid_tests`.
    """
    found = _grid_cells()
    rows = found.groupby(level=ROW, sort=False)
    table = pd.DataFrame({"cells": rows.size(), "on the grid": rows.one.sum(), "expected": rows.chance.sum()})
    return table.assign(p=[_as_many(part) for _, part in rows])


def grid_tests() -> pd.DataFrame:
    """`on_the_grid_of_one_run` over all rows of a base model and table, with Holm's p over them."""
    rows = _grid_cells().groupby(level=["table", "model"], sort=False)
    table = pd.DataFrame({"cells": rows.size(), "on the grid": rows.one.sum(), "expected": rows.chance.sum()})
    table["p"] = [_as_many(part) for _, part in rows]
    return table.assign(holm=stats.holm(table.p))


def _grid_cells() -> pd.DataFrame:
    found = cells()[["mean", "std"]]
    limits = [accuracies.limit(model) for model in found.index.get_level_values("model")]
    one = [granularity.is_mean_of(m, 0.0, 1, n) for m, n in zip(found["mean"], limits, strict=True)]
    chance = [granularity.chance_of_one(s, SEEDS, n) for s, n in zip(found["std"], limits, strict=True)]
    return found.assign(one=one, chance=chance)


def _as_many(part: pd.DataFrame) -> float:
    """P(as many cells on the grid, or more), the cells independent of each other, each with its own chance."""
    counts = np.ones(1)
    for chance in part.chance:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(min(1.0, counts[int(part.one.sum()) :].sum()))


def labels_of_one_run() -> pd.DataFrame:
    """The labels of rows all of whose countable cells one run can have, if each value is one run's.

    The same is asked of the dispersion row that they are tested against.

    One row a (model, condition): label, `three` (Student's p of two means of three runs) and `one` (of two single
    values beside the same spreads: t is smaller by the root of three, with as many degrees of freedom).
    """
    grid = on_the_grid_of_one_run().loc["Table 2"]
    whole = grid.index[grid["on the grid"] == grid.cells]
    means, spreads = (accuracies.mid_trained(column).average for column in ("mean", "std"))
    found = tables.labels()
    found = found[(found.table == "Table 2") & (found.reading == "student")].set_index(["model", "condition"])
    rows = {}
    for model, condition in whole:
        reference = (model, "dispersion")
        if condition == "dispersion" or reference not in whole:
            continue
        pooled = np.hypot(spreads[reference], spreads[model, condition]) / np.sqrt(2)
        statistic = abs(means[reference] - means[model, condition]) / (np.sqrt(2) * pooled)
        here = found.loc[(model, condition)]
        one = float(2 * student.sf(statistic, 2 * (SEEDS - 1)))
        rows[model, condition] = {"label": here.label, "three": here.p, "one": one}
    return pd.DataFrame(rows).T.rename_axis(["model", "condition"]).astype({"three": float, "one": float})


# --- two runs ---------------------------------------------------------------------------------------------------------


def likely_runs() -> dict[tuple[str, str], int]:
    """Rows of Table 2 where no mean of three runs gives all cells, and one of two does: {(model, condition): 2}."""
    found = runs().loc["Table 2"]
    two = (found["mean of 3"] < len(GRANULAR)) & (found["mean of 2"] == len(GRANULAR))
    return dict.fromkeys(found.index[two], 2)


def labels_of_two_runs() -> pd.DataFrame:
    """`labels` of the rows of `likely_runs`, by Student's test, as if they rested on two runs."""
    two = likely_runs()
    found = tables.labels(two)
    found = found[found.reading == "student"]
    return found[pd.MultiIndex.from_frame(found[["model", "condition"]]).isin(list(two))]


def labels_with_two_runs() -> pd.DataFrame:
    """`labels` by Student's test as if every trained row of Table 2 rested on two runs."""
    trained = accuracies.mid_trained("std").average.dropna().index
    found = tables.labels(dict.fromkeys(trained, 2))
    return found[(found.reading == "student") & (found.table == "Table 2") & (found.condition != "none")]
