"""Errors of the published averages, what the gains are worth beside them, and how the spreads fit together.

All values in per cent. Items are counted as the released scripts evaluate them: the first 500 or 200 of every task.
"""

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind_from_stats

from ... import paper, stats
from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, SEEDS, TASKS
from ...paper.rounding import HALF, outcome, rounded
from ...stats import Interval


def item_errors() -> pd.DataFrame:
    """Binomial error of each accuracy of the dispersion rows, and of their average, in points: tasks by base model.

    How far an accuracy on other items of the same kind would lie from this one, for one run; for truthfulqa, a mean of
    probabilities, an upper bound.
    """
    columns = {}
    for model in MID_TRAINED:
        shares = accuracies.mid_trained().loc[(model, "dispersion"), list(TASKS)].astype(float) / 100
        errors = pd.Series(stats.binomial_error(shares, accuracies.items(model)), index=TASKS)
        errors["average"] = stats.error_of_average(shares, accuracies.items(model))
        columns[model] = 100 * errors
    return pd.DataFrame(columns)


def gains(model: str, against: str = "train") -> pd.DataFrame:
    """What dispersion adds on each task: gain, the part of the average's gain it carries, and two standard errors.

    carries: gain / 10, in points of the average. seeds: of the difference of two means of three runs, from the printed
    spreads. items: of the difference on other items, unpaired (for truthfulqa an upper bound).
    """
    means, spreads = accuracies.mid_trained().loc[model], accuracies.mid_trained("std").loc[model].fillna(0)
    gain = (means.loc["dispersion"] - means.loc[against])[list(TASKS)]
    seeds = np.sqrt((spreads.loc["dispersion"] ** 2 + spreads.loc[against] ** 2)[list(TASKS)] / SEEDS)
    middle = means.loc[["dispersion", against], list(TASKS)].mean() / 100
    error = 100 * np.sqrt(2) * stats.binomial_error(middle, accuracies.items(model))
    found = pd.DataFrame({"gain": gain, "carries": gain / len(TASKS), "share": gain / gain.sum()})
    return found.assign(seeds=seeds, items=error).astype(float)


def implied_flips() -> pd.Series:
    """Share of items that would flip between two runs if the printed spreads of the tasks were flips at random.

    Two runs whose tasks have the spreads s_t differ by sqrt(sum 2 s_t^2) / 10 in the average, which equals
    sqrt(f / N) for f = 2 N sum s_t^2 / 100. Mean over the trained rows of each base model. An inference: it takes
    flips as independent between items, and spreads of few runs as they are.
    """
    squares = (accuracies.mid_trained("std")[list(TASKS)].dropna() ** 2).sum(axis=1).groupby(level="model").mean()
    size = np.array([accuracies.equivalent_items(model) * len(TASKS) for model in squares.index])
    return 2 * size * squares / 100**2 / len(TASKS) ** 2


def spreads() -> pd.DataFrame:
    """The printed spread of the average beside what the spreads of its tasks allow, by row of Tables 2 and 3.

    independent: sqrt(sum s_t^2) / 10, if the tasks vary independently from seed to seed. low, high: the least and the
    most that any dependence allows within rounding. ratio: printed / independent.
    """
    spread = accuracies.wide("std").dropna(subset=["average"])
    tasks = spread[list(TASKS)]
    least, most = (tasks - HALF).clip(lower=0), tasks + HALF
    # The largest spread can be cancelled by the others together, at most.
    low = (least.max(axis=1) - (most.sum(axis=1) - most.max(axis=1))).clip(lower=0) / len(TASKS)
    found = pd.DataFrame({"printed": spread.average, "low": low, "high": most.sum(axis=1) / len(TASKS)})
    found["independent"] = np.sqrt((tasks**2).sum(axis=1)) / len(TASKS)
    found["ratio"] = found.printed / found.independent
    found["outcome"] = [outcome(rounded(row.printed, 2), Interval(row.low, row.high)) for row in found.itertuples()]
    return found


def settings() -> pd.DataFrame:
    """Table 4: the average at each weight and temperature, less that of the default, plain training, the best other.

    p_same: Student's p against the default if this setting had the default's spread and three runs (Table 4 prints no
    spread), and `holm` of it over the other settings.
    """
    found = paper.table("table4_hyperparameters")[["lambda_disp", "tau", "average", "is_default"]]
    means = accuracies.mid_trained().loc["GPT2"].average
    spread = float(accuracies.mid_trained("std").loc[("GPT2", "dispersion"), "average"])
    default = float(found.average[found.is_default == 1].iloc[0])
    others = means.drop(["none", "train", "dispersion"])
    found["to_default"] = found.average - default
    found["to_train"] = found.average - means.train
    found["to_best_other"] = found.average - others.max()
    found["p_same"] = ttest_ind_from_stats(default, spread, SEEDS, found.average, spread, SEEDS).pvalue
    others = found.is_default == 0
    found.loc[others, "holm"] = stats.holm(found.p_same[others])
    return found


def by_task(table: str, model: str, condition: str, against: str) -> pd.Series:
    """What one row of the paper's tables has more than another on each task, in points."""
    means = accuracies.wide()[list(TASKS)]
    return (means.loc[(table, model, condition)] - means.loc[(table, model, against)]).astype(float)


def over_training() -> pd.Series:
    """Average of each trained condition of Table 2 minus that of plain training, by (model, condition)."""
    means = accuracies.mid_trained().average
    base = means.xs("train", level="condition").reindex(means.index.get_level_values("model")).to_numpy()
    return (means - base).drop(["none", "train"], level="condition")
