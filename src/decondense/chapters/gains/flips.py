"""How many answers change between two runs: what the printed spreads imply, and what this book's own runs measured.

A gain on other items of the same kind is certain or not by the share f of items that one run has right and the other
wrong: N items have the paired error sqrt(f / N). The paper prints no such share.
"""

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import norm

from ... import records
from ...paper import accuracies
from ...paper.accuracies import TASKS
from ...records import Record
from ...runs import tables as run_tables
from ...runs.run import Run
from ...stats import Estimate, Interval
from . import tables

AGAINST = "dispersion - train"
MODEL = "smollm2-135m-instruct"
SETTINGS = {  # of the three conditions, beyond what the name of a record has
    "none": {},
    "train": {},
    "dispersion": {"weight": 0.1, "layers": "all", "temperature": None},
}


@cache
def measured() -> dict[str, float]:
    """Shares of items that change, from the longest committed runs of this book's Table 2: by pair of conditions.

    Between dispersion and plain training, two seeds of plain training, plain training and no training.
    """
    scores = {label: run_tables.scores(_runs(), label) for label in ("dispersion", "train", "none")}
    share = lambda a, b: float(
        np.mean([run_tables.flip_share(*pair) for pair in zip(scores[a], scores[b], strict=True)])
    )
    seeds = len(scores["train"][0])
    # Of all pairs of seeds, those of a seed with itself have no flips.
    within = share("train", "train") * seeds / (seeds - 1)
    return {AGAINST: share("dispersion", "train"), "train, two seeds": within, "train - none": share("train", "none")}


def _runs() -> list[Run]:
    """The committed runs of `MODEL` in three conditions, those of the most steps; and the model before training."""
    found = [Run(label, one.content["config"]["seed"], one) for label in SETTINGS for one in _of_condition(label)]
    most = max(run.config["steps"] for run in found)
    return [run for run in found if run.config["steps"] in (0, most)]


def _of_condition(label: str) -> list[Record]:
    paths = sorted(records.committed_folder().glob(f"midtraining-{MODEL}-{label}-seed*.json"))
    asked = SETTINGS[label].items()
    return [one for one in map(records.read, paths) if asked <= {k: one.content["config"][k] for k, _ in asked}.items()]


def reported() -> pd.DataFrame:
    """The six gains of Tables 2, 3 and 5 over the other arm, with the flips that would undo them and those that are.

    Columns of `accuracies.gain_of_average`; `implied` by the printed spreads of the base model
    (`tables.implied_flips`); `measured` here (`measured`, of another model, after fewer steps); `errors, implied` and
    `errors, measured`: the gain in paired errors at that share, for one run of each condition. With three runs whose
    flips are independent it is the root of three as many.
    """
    found = accuracies.gain_of_average()
    found = found[found.against != "none"].reset_index(drop=True)
    found["implied"] = tables.implied_flips().reindex(found.model).to_numpy()
    found["measured"] = measured()[AGAINST]
    for share in ("implied", "measured"):
        found[f"errors, {share}"] = found.gain / [paired_error(row.model, row[share]) for _, row in found.iterrows()]
    return found


def paired_error(model: str, flips: float) -> float:
    """Standard error of a gain of the ten-task average at this share of flips, in points: 100 sqrt(f / N)."""
    return 100 * float(np.sqrt(flips / (accuracies.equivalent_items(model) * len(TASKS))))


def on_other_items(model: str, gain: float, error: float) -> Estimate:
    """A printed gain as an estimate over items, by the normal distribution with this standard error."""
    reach, items = 1.96 * error, accuracies.equivalent_items(model) * len(TASKS)
    return Estimate(gain, Interval(gain - reach, gain + reach), float(2 * norm.sf(abs(gain) / error)), items, "items")
