"""The published accuracies of Tables 2, 3 and 5 in one form, and what the choice of the items does to their averages.

All values in per cent. Items are counted as the released scripts evaluate them: the first 500 or 200 of every task.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from .. import paper, stats
from ..base.errors import unknown

SEEDS = 3  # runs of each condition, as the paper states for mid-training
MID_TRAINED = ("GPT2", "GPT2-m", "Qwen3-0.6B", "Qwen3-1.7B")  # the base models of Table 2
TASKS = (
    "anli_r2",
    "lambada_openai",
    "openbookqa",
    "piqa",
    "truthfulqa",
    "winogrande",
    "arc_easy",
    "arc_challenge",
    "medmcqa",
    "mmlu",
)
ROW = ["table", "model", "condition"]  # what names a row of the paper's tables
MMLU_ITEMS = {500: 12_173, 200: 9_183}  # the limit holds per subject: sum over the 57 of min(questions, limit)


def printed() -> pd.DataFrame:
    """Tables 2, 3 and 5 in one long form: table, model, condition, benchmark, mean, std, label, bold."""
    parts = {
        "Table 2": paper.table("table2_midtraining"),
        "Table 3": paper.table("table3_layers").rename(columns={"dispersion_layers": "condition"}),
        "Table 5": paper.table("table5_pretraining").rename(columns={"value": "mean"}),
    }
    parts = [part.rename(columns={"p_reported": "label"}).assign(table=name) for name, part in parts.items()]
    return pd.concat(parts, ignore_index=True)[[*ROW, "benchmark", "mean", "std", "label", "bold"]]


def wide(column: str = "mean", table: str | None = None) -> pd.DataFrame:
    """`printed` with one row per row of the paper's tables, (table, model, condition), and one column per benchmark."""
    found = printed()
    if table is not None:
        found = found[found.table == table]
        if found.empty:
            raise unknown("table of accuracies", table, ("Table 2", "Table 3", "Table 5"))
    columns = [*TASKS, "rank", "average"]
    return found.set_index([*ROW, "benchmark"])[column].unstack()[lambda x: [c for c in columns if c in x]]


def mid_trained(column: str = "mean") -> pd.DataFrame:
    """Table 2's rows of the four base models, by (model, condition)."""
    found = wide(column, "Table 2").droplevel("table")
    return found[found.index.get_level_values("model").isin(MID_TRAINED)]


# --- items ----------------------------------------------------------------------------------------------------------


def limit(model: str) -> int:
    """Items of a task in the released scripts (the paper states none): the first 500 for GPT2, 200 for Qwen3."""
    return 500 if model.startswith("GPT2") else 200


def items(model: str) -> np.ndarray:
    """Number of items of each of `TASKS` under the released scripts' limit."""
    n = limit(model)
    return np.array([MMLU_ITEMS[n] if task == "mmlu" else n for task in TASKS])


def equivalent_items(model: str) -> int:
    """Items of each of ten equal tasks whose average has the same paired error: 10 / sum(1 / n)."""
    return round(len(TASKS) / (1 / items(model)).sum())


def gain_of_average() -> pd.DataFrame:
    """The gains of the average that Tables 2, 3 and 5 report, beside the error that the choice of the items makes.

    error: of the difference on other items, unpaired. flips_196, flips_power: the largest share of items that may
    change between right and wrong for the gain to be 1.96 paired errors, and to be found with a chance of 80 %.
    low, high: range of the average's gain when one of the ten tasks is left out.
    """
    pairs = [("Table 2", model, "dispersion", other) for model in MID_TRAINED for other in ("train", "none")]
    pairs += [("Table 3", "GPT2", "second_half", "first_half"), ("Table 5", "Qwen3-0.6B", "dispersion", "train")]
    means = wide()
    rows = []
    for table, model, better, other in pairs:
        found = _gain(means.loc[(table, model, better)], means.loc[(table, model, other)], model)
        rows.append({"table": table, "model": model, "against": other} | found)
    return pd.DataFrame(rows)


def _gain(a: pd.Series, b: pd.Series, model: str) -> dict[str, float]:
    gain, n = a.average - b.average, equivalent_items(model)
    tasks = (a - b)[list(TASKS)].astype(float)
    rest = (tasks.sum() - tasks) / (len(TASKS) - 1)
    middle = ((a + b) / 200)[list(TASKS)].astype(float)
    return {
        "gain": gain,
        "error": 100 * np.sqrt(2) * stats.error_of_average(middle, items(model)),
        "flips_196": min(1.0, n * len(TASKS) * (gain / 100 / 1.96) ** 2),
        "flips_power": flips_for_power(gain / 100, n),
        "low": rest.min(),
        "high": rest.max(),
    }


def flips_for_power(gain: float, n_items: int) -> float:
    """The largest share of flips at which a paired test finds this gain of a ten-task average; NaN for none at all."""
    excess = lambda flips: stats.mcnemar_power(gain, n_items, len(TASKS), flips) - stats.POWER
    if excess(gain) < 0:
        return float("nan")
    return 1.0 if excess(1.0) > 0 else float(brentq(excess, gain, 1.0))
