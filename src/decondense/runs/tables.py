"""From training runs to the tables of the book: means over seeds, paired differences, ranks, tests.

Runs of two conditions with the same seed saw the same batches in the same order, so differences are taken seed by seed.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata, ttest_ind_from_stats

from .. import stats
from ..base.errors import unknown
from ..stats import Estimate, mean_and_interval
from .run import Run

Quantity = Callable[[Run], float]
DIGITS = 4  # decimals of a mean
FLIPS = (0.01, 0.02, 0.05, 0.1, 0.2)  # shares of items that two conditions may answer differently, for `power`


def by_seed(runs: Sequence[Run], quantity: Quantity) -> pd.DataFrame:
    """One row per label, one column per seed; a run that has no seed (before training) has its value in the first."""
    rows: dict[str, dict[int, float]] = {}
    for run in runs:
        rows.setdefault(run.label, {})[run.seed] = quantity(run)
    return pd.DataFrame.from_dict(rows, orient="index")


def first(runs: Sequence[Run]) -> dict[str, Run]:
    """The first run of each label, by label, in the order of the runs."""
    found: dict[str, Run] = {}
    for run in runs:
        found.setdefault(run.label, run)
    return found


def mu_against(runs: Sequence[Run], baseline: str) -> pd.DataFrame:
    """Mean cosine after the last step minus that of `baseline`, both means over their seeds: entries 0..L by label."""
    ends = pd.DataFrame(
        {label: np.mean([run.mu[-1] for run in runs if run.label == label], 0) for label in first(runs)}
    )
    return ends.drop(columns=baseline).sub(ends[baseline], axis=0)


def summary(runs: Sequence[Run], quantities: dict[str, Quantity]) -> pd.DataFrame:
    """Mean over the seeds of each quantity, with its standard deviation (ddof = 1) as text, one row per label.

    Both to the second digit of the deviation, with at most `DIGITS` decimals; a mean of one seed has these.
    """
    columns = {}
    for name, quantity in quantities.items():
        table = by_seed(runs, quantity)
        columns[name] = [_mean_and_spread(row.dropna()) for _, row in table.iterrows()]
    return pd.DataFrame(columns, index=table.index)


def _mean_and_spread(values: pd.Series) -> str:
    spread = values.std(ddof=1)
    if not spread > 0:  # NaN of one seed
        return f"{values.mean():.{DIGITS}f}" if len(values) == 1 else f"{values.mean():.2f} ± 0"
    digits = int(np.clip(1 - np.floor(np.log10(spread)), 0, DIGITS))
    return f"{values.mean():.{digits}f} ± {spread:.{digits}f}"


def paired(runs: Sequence[Run], label: str, baseline: str, quantity: Quantity) -> Estimate:
    """Mean over the seeds of quantity(label) - quantity(baseline), each seed with its own; the paired t-test's p-value.

    Raises
        ValueError: a label that no run has, or the two conditions share no seed.
    """
    table = by_seed(runs, quantity)
    for name in (label, baseline):
        if name not in table.index:
            raise unknown("label", name, table.index)
    difference = (table.loc[label] - table.loc[baseline]).dropna().to_numpy()
    if len(difference) == 0:
        raise ValueError(f"{label!r} and {baseline!r} share no seed.")
    return mean_and_interval(difference)


def text(found: Estimate, digits: int = 4) -> str:
    """A difference as the tables show it: `-0.0132 [-0.0140, -0.0124]`."""
    low, high = found.interval
    between = f" [{low:+.{digits}f}, {high:+.{digits}f}]" if np.isfinite(low) else ""
    return f"{found.value:+.{digits}f}{between}"


def accuracy(runs: Sequence[Run], spread: bool = False) -> pd.DataFrame:
    """Mean acc in percent over the seeds (or its standard deviation): a row per label, a column a task, the average."""
    rows: dict[str, list[pd.Series]] = {}
    for run in runs:
        rows.setdefault(run.label, []).append(run.evaluation.table()["acc (%)"])
    return pd.DataFrame({k: _over(pd.DataFrame(v), spread) for k, v in rows.items()}).T


def _over(table: pd.DataFrame, spread: bool) -> pd.Series:
    return table.std(ddof=1) if spread else table.mean()


def with_rank(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `rank`: the mean over the tasks of a label's rank among the labels.

    1 is best; equal values get the mean of their places.
    """
    return table.assign(rank=rankdata(-table.drop(columns="average").to_numpy(float), axis=0).mean(1))


def scores(runs: Sequence[Run], label: str, column: str = "score") -> list[np.ndarray]:
    """For each task an array (seeds, items) of one column of the items, as `stats.crossed_mean` takes their difference.

    Raises
        ValueError: no run of this label.
    """
    found = [run.evaluation.items for run in runs if run.label == label]
    if not found:
        raise ValueError(f"No run is labelled {label!r}.")
    tasks = found[0].task.unique()
    return [np.stack([items.loc[items.task == task, column].to_numpy(float) for items in found]) for task in tasks]


def paired_items(runs: Sequence[Run], label: str, other: str, column: str = "score") -> Estimate:
    """Mean over the tasks of label - other, item by item and seed by seed, over seeds and items (`stats.crossed_mean`).

    `score` in percentage points, any other column in its own units. A condition of one run (the model before training)
    is compared with each seed of the other; a seed that only one of two has takes no part.

    Raises
        ValueError: no run of a label; two of several runs that share no seed.
    """
    scale = 100 if column == "score" else 1
    kept = _of_shared_seeds(runs, label, other)
    pairs = zip(scores(kept, label, column), scores(kept, other, column), strict=True)
    return stats.crossed_mean([scale * (ours - theirs) for ours, theirs in pairs])


def _of_shared_seeds(runs: Sequence[Run], label: str, other: str) -> list[Run]:
    seeds = [{run.seed for run in runs if run.label == name} for name in (label, other)]
    if min(map(len, seeds)) < 2:
        return sorted(runs, key=lambda run: run.seed)
    shared = seeds[0] & seeds[1]
    if not shared:
        raise ValueError(f"{label!r} and {other!r} share no seed.")
    return sorted((run for run in runs if run.seed in shared), key=lambda run: run.seed)


def power(run: Run) -> pd.DataFrame:
    """The smallest true difference of two averages that a run's items show with a chance of 80 %, in percentage points.

    A row for each share of items that the two answer differently, which nobody knows before the run. The items alone
    (McNemar; of unequal tasks the harmonic mean of their numbers counts), by one test at 5 %: other training seeds, and
    Holm's correction, ask for more. NaN where not even a difference as large as the share is found.
    """
    counts = run.evaluation.table().drop(index="average")["items"].astype(int)
    alike = round(len(counts) / (1 / counts).sum())
    rows = {f"{share:.0%}": 100 * stats.detectable_accuracy(alike, len(counts), share) for share in FLIPS}
    return pd.Series(rows, name="detectable (points)").rename_axis("items that change").to_frame()


def against(runs: Sequence[Run], label: str, others: Sequence[str]) -> pd.DataFrame:
    """`label` minus each of the others, on the average over the tasks of acc, in percentage points.

    Columns: difference; `low`, `high`, its 95 % interval over seeds and items (`paired_items`); `p` of Student's t-test
    over seeds as the paper's, `p, Holm` corrected for the number of others; `flips`, the share of items that change
    between the two. Where only one of the two has several seeds (the model before training), the t-test is that of one
    sample.
    """
    rows = {}
    ours = [run.evaluation.table().loc["average", "acc (%)"] for run in runs if run.label == label]
    for other in others:
        found = paired_items(runs, label, other)
        theirs = [run.evaluation.table().loc["average", "acc (%)"] for run in runs if run.label == other]
        flips = np.mean([flip_share(a, b) for a, b in zip(scores(runs, label), scores(runs, other), strict=True)])
        rows[other] = [found.value, *found.interval, _student(ours, theirs), flips]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high", "p", "flips"])
    table.insert(4, "p, Holm", stats.holm(table["p"]) if table["p"].notna().all() else np.nan)
    return table


def _student(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Two-sided p-value; NaN where one seed on both sides, or no spread at all, leaves nothing to test with."""
    ours, theirs = sorted((ours, theirs), key=len, reverse=True)  # two-sided: which is which does not matter
    if len(ours) < 2 or np.std(ours) + np.std(theirs) == 0:
        return np.nan
    if len(theirs) == 1:
        return mean_and_interval(np.subtract(ours, theirs)).p
    # From summaries: scipy warns where it is given values that are all the same.
    summary = [(np.mean(x), np.std(x, ddof=1), len(x)) for x in (ours, theirs)]
    return float(ttest_ind_from_stats(*summary[0], *summary[1]).pvalue)


def flip_share(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the items of one task, averaged over pairs of seeds, that one run has right and the other wrong."""
    return float(np.mean([np.abs(x - y).mean() for x in a for y in b]))
