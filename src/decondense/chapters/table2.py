"""Table 2: benchmarks after mid-training in eight conditions, compared item by item."""

from collections.abc import Sequence

import pandas as pd

from .. import paper, stats
from ..paper.claims import Claim, signed
from ..paper.verdicts import all_above, is_best, is_positive
from ..runs import tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run
from ..stats import Interval

OTHERS = [name for name in CONDITIONS if name != "dispersion"]
ADDITIONS = [name for name in CONDITIONS if name not in ("none", "train")]


def published(model: str) -> pd.DataFrame:
    """Table 2 of one base model as printed: conditions by benchmark, `average` and `rank`."""
    table = paper.table("table2_midtraining").query("model == @model")
    return table.pivot(index="condition", columns="benchmark", values="mean").loc[list(CONDITIONS)]


def published_gaps(model: str) -> pd.Series:
    """The printed average of dispersion minus that of each other condition."""
    average = published(model).average
    return average["dispersion"] - average[OTHERS]


def finer(runs: Sequence[Run]) -> pd.DataFrame:
    """Log-probability of the right answer minus that of `train`, in nats an item: difference, low, high by condition.

    Mean over the tasks, with the 95 % paired bootstrap over the items.
    """
    base, rows = tables.scores(runs, "train", "logprob"), {}
    for name in (name for name in CONDITIONS if name != "train"):
        difference, interval = stats.paired_bootstrap(tables.scores(runs, name, "logprob"), base)
        rows[name] = [difference, *interval]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])


def detectable(runs: Sequence[Run], flips: float) -> tuple[float, int]:
    """The smallest true difference of the average that is found with a chance of 80 %, in points; and the items.

    flips
        Share of the items that change between two conditions; one item is taken at least.
    """
    table = runs[0].evaluation.table()
    items, tasks = int(table.loc["average", "items"]), len(table) - 1
    return 100 * stats.detectable_accuracy(items // tasks, tasks, max(flips, 1 / items)), items


def claims(accuracy: pd.DataFrame, against: pd.DataFrame, model: str) -> list[Claim]:
    """Dispersion is the best, is better than default training, and so is each of the six additions.

    accuracy
        `tables.accuracy` of the runs.
    against
        `tables.against` of dispersion and `OTHERS`.
    model
        The base model of the paper whose rows are beside.
    """
    there, gaps = published(model).average, published_gaps(model)
    intervals = {row.Index: Interval(row.low, row.high) for row in against.itertuples()}
    gain, (low, high) = against.difference["train"], intervals["train"]
    above = accuracy.average[ADDITIONS] - accuracy.average["train"]
    return [
        Claim(
            claim="dispersion has the best average",
            source="Table 2",
            published=signed(gaps),
            here=signed(against.difference),
            rule="every interval above 0",
            verdict=is_best(list(intervals.values()), against.difference.tolist()),
        ),
        Claim(
            claim="dispersion is better than default training",
            source="Table 2",
            published=f"{gaps['train']:+.2f}",
            here=f"{gain:+.2f} [{low:+.2f}, {high:+.2f}]",
            rule="interval above 0",
            verdict=is_positive(intervals["train"]),
        ),
        Claim(
            claim="each of the six additions beats default training on average",
            source="Table 2",
            published=signed(there[ADDITIONS] - there["train"]),
            here=signed(above),
            rule="all above",
            verdict=all_above(above.tolist()),
        ),
    ]
