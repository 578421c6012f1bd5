"""Errors of the published averages, what the gains are worth beside them, and how the spreads fit together.

All values in per cent. Items are counted as the released scripts evaluate them: the first 500 or 200 of every task.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from ... import paper, stats
from ...stats import Interval
from . import granularity, tables

MMLU_ITEMS = {500: 12_173, 200: 9_183}  # the limit holds per subject: sum over the 57 of min(questions, limit)


def items(model: str) -> np.ndarray:
    """Number of items of each of `audit.TASKS` under the released scripts' limit."""
    n = tables.limit(model)
    return np.array([MMLU_ITEMS[n] if task == "mmlu" else n for task in tables.TASKS])


def equivalent_items(model: str) -> int:
    """Items of each of ten equal tasks whose average has the same paired error: 10 / sum(1 / n)."""
    return round(len(tables.TASKS) / (1 / items(model)).sum())


def item_errors() -> pd.DataFrame:
    """Binomial error of each accuracy of the dispersion rows, and of their average, in points: tasks by base model.

    How far an accuracy on other items of the same kind would lie from this one, for one run; for truthfulqa, a mean of
    probabilities, an upper bound.
    """
    columns = {}
    for model in tables.MID_TRAINED:
        shares = tables.mid_trained().loc[(model, "dispersion"), list(tables.TASKS)].astype(float) / 100
        columns[model] = 100 * stats.binomial_error(shares, items(model))
        columns[model] = pd.Series(columns[model], index=tables.TASKS)
        columns[model]["average"] = 100 * stats.error_of_average(shares, items(model))
    return pd.DataFrame(columns)


def gains(model: str, against: str = "train") -> pd.DataFrame:
    """What dispersion adds on each task: gain, the part of the average's gain it carries, and two standard errors.

    carries: gain / 10, in points of the average. seeds: of the difference of two means of three runs, from the printed
    spreads. items: of the difference on other items, unpaired (for truthfulqa an upper bound).
    """
    means, spreads = tables.mid_trained().loc[model], tables.mid_trained("std").loc[model].fillna(0)
    gain = (means.loc["dispersion"] - means.loc[against])[list(tables.TASKS)]
    seeds = np.sqrt((spreads.loc["dispersion"] ** 2 + spreads.loc[against] ** 2)[list(tables.TASKS)] / tables.SEEDS)
    error = 100 * stats.error_of_difference(
        means.loc[["dispersion", against], list(tables.TASKS)].mean() / 100, items(model)
    )
    found = pd.DataFrame({"gain": gain, "carries": gain / len(tables.TASKS), "share": gain / gain.sum()})
    return found.assign(seeds=seeds, items=error).astype(float)


def gain_of_average() -> pd.DataFrame:
    """The gains of the average that Tables 2, 3 and 5 report, beside the error that the choice of the items makes.

    error: of the difference on other items, unpaired. flips_196, flips_power: the largest share of items that may
    change between right and wrong for the gain to be 1.96 paired errors, and to be found with a chance of 80 %.
    left_out: range of the average's gain when one of the ten tasks is left out.
    """
    pairs = [("Table 2", model, "dispersion", other) for model in tables.MID_TRAINED for other in ("train", "none")]
    pairs += [("Table 3", "GPT2", "second_half", "first_half"), ("Table 5", "Qwen3-0.6B", "dispersion", "train")]
    means, rows = tables.wide(), []
    for table, model, better, other in pairs:
        a, b = means.loc[(table, model, better)], means.loc[(table, model, other)]
        gain, n = a.average - b.average, equivalent_items(model)
        tasks = (a - b)[list(tables.TASKS)].astype(float)
        rest = (tasks.sum() - tasks) / (len(tables.TASKS) - 1)
        middle = ((a + b) / 200)[list(tables.TASKS)].astype(float)
        rows.append(
            {
                "table": table,
                "model": model,
                "against": other,
                "gain": gain,
                "error": 100 * np.sqrt(2) * stats.error_of_average(middle, items(model)),
                "flips_196": min(1.0, n * len(tables.TASKS) * (gain / 100 / 1.96) ** 2),
                "flips_power": flips_for_power(gain / 100, n),
                "low": rest.min(),
                "high": rest.max(),
            }
        )
    return pd.DataFrame(rows)


def flips_for_power(gain: float, n_items: int, power: float = 0.8) -> float:
    """The largest share of flips at which a paired test finds this gain of a ten-task average; NaN for none at all."""
    excess = lambda flips: stats.power(gain, n_items, len(tables.TASKS), flips) - power
    if excess(gain) < 0:
        return float("nan")
    return 1.0 if excess(1.0) > 0 else float(brentq(excess, gain, 1.0))


def implied_flips() -> pd.Series:
    """Share of items that would flip between two runs if the printed spreads of the tasks were flips at random.

    Two runs whose tasks have the spreads s_t differ by sqrt(sum 2 s_t^2) / 10 in the average, which equals
    sqrt(f / N) for f = 2 N sum s_t^2 / 100. Mean over the trained rows of each base model. An inference: it takes
    flips as independent between items, and spreads of few runs as they are.
    """
    squares = (tables.mid_trained("std")[list(tables.TASKS)].dropna() ** 2).sum(axis=1).groupby(level="model").mean()
    size = np.array([equivalent_items(model) * len(tables.TASKS) for model in squares.index])
    return 2 * size * squares / 100**2 / len(tables.TASKS) ** 2


def spreads() -> pd.DataFrame:
    """The printed spread of the average beside what the spreads of its tasks allow, by row of Tables 2 and 3.

    independent: sqrt(sum s_t^2) / 10, if the tasks vary independently from seed to seed. low, high: the least and the
    most that any dependence allows within rounding. ratio: printed / independent.
    """
    spread = tables.wide("std").dropna(subset=["average"])
    tasks = spread[list(tables.TASKS)]
    least, most = (tasks - granularity.HALF).clip(lower=0), tasks + granularity.HALF
    # The largest spread can be cancelled by the others together, at most.
    low = (least.max(axis=1) - (most.sum(axis=1) - most.max(axis=1))).clip(lower=0) / len(tables.TASKS)
    found = pd.DataFrame({"printed": spread.average, "low": low, "high": most.sum(axis=1) / len(tables.TASKS)})
    found["independent"] = np.sqrt((tasks**2).sum(axis=1)) / len(tables.TASKS)
    found["ratio"] = found.printed / found.independent
    found["outcome"] = [
        tables.outcome(tables.rounded(row.printed, 2), Interval(row.low, row.high)) for row in found.itertuples()
    ]
    return found


def settings() -> pd.DataFrame:
    """Table 4: the average at each weight and temperature, less that of the default, plain training, the best other.

    p_same: Student's p against the default if this setting had the default's spread and three runs (Table 4 prints no
    spread).
    """
    found = paper.table("table4_hyperparameters")[["lambda_disp", "tau", "average", "is_default"]]
    means, spread = (
        tables.mid_trained().loc["GPT2"].average,
        float(tables.mid_trained("std").loc[("GPT2", "dispersion"), "average"]),
    )
    default = float(found.average[found.is_default == 1].iloc[0])
    others = means.drop(["none", "train", "dispersion"])
    found["to_default"] = found.average - default
    found["to_train"] = found.average - means.train
    found["to_best_other"] = found.average - others.max()
    found["p_same"] = stats.t_test(default, spread, tables.SEEDS, found.average, spread, tables.SEEDS).p
    return found
