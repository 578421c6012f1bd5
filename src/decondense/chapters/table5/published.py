"""Table 5 as printed, and what other items would make of its gain."""

import pandas as pd

from ... import paper
from ...paper import accuracies
from .quantities import CONDITIONS


def published() -> pd.DataFrame:
    """Table 5 as printed: one row per benchmark and the average; columns train, dispersion, difference."""
    table = paper.table("table5_pretraining")
    found = table.pivot(index="benchmark", columns="condition", values="value")
    found = found.loc[table.benchmark.unique(), list(CONDITIONS)].rename_axis(columns=None)
    return found.assign(difference=found.dispersion - found.train)


def published_gain() -> float:
    """The difference of the two printed averages, in points."""
    return float(published().difference["average"])


def by_items() -> pd.DataFrame:
    """The published gain beside what other items would make of it: `accuracies.gain_of_average` of this table."""
    found = accuracies.gain_of_average()
    return found[found.table == "Table 5"].set_index("model")[["gain", "error", "flips_196"]]
