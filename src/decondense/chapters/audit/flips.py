"""How many answers change between two runs: what the printed spreads imply, and what this book's own runs measured.

A gain on other items of the same kind is certain or not by the share f of items that one run has right and the other
wrong: N items have the paired error sqrt(f / N). The paper prints no such share.
"""

import json
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import norm

from ... import records
from ...paper import accuracies
from ...paper.accuracies import TASKS
from ...runs import tables as run_tables
from ...runs.midtraining import CONDITIONS
from ...runs.run import Run
from ...stats import Estimate, Interval
from . import gains

AGAINST = "dispersion - train"


@cache
def measured() -> dict[str, float]:
    """Shares of items that change, from the committed runs of this book's Table 2: by pair of conditions.

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
    folder = records.committed_folder()
    page = json.loads((folder / "verdicts-table2.json").read_text(encoding="utf-8"))
    found = [(name, records.read(folder / name)) for name in page["records"] if name.startswith("midtraining-")]
    return [Run(_condition(record.content["config"]), record.content["config"]["seed"], record) for _, record in found]


def _condition(config: dict) -> str:
    """The condition of `CONDITIONS` that a configuration is: of those whose settings it has, the one with most."""
    plain = {"steps": config["steps"], "noise_alpha": None, "forgetting": False, "loss": None}
    if config["steps"] == 0:
        return "none"
    return next(name for name, changed in CONDITIONS.items() if plain | changed == {k: config[k] for k in plain})


def reported() -> pd.DataFrame:
    """The six gains of Tables 2, 3 and 5 over the other arm, with the flips that would undo them and those that are.

    Columns of `accuracies.gain_of_average`; `implied` by the printed spreads of the base model (`gains.implied_flips`);
    `measured` here (`measured`, of another model, after fewer steps); `errors, implied` and `errors, measured`: the
    gain in paired errors at that share, for one run of each condition. With three runs whose flips are independent it
    is the root of three as many.
    """
    found = accuracies.gain_of_average()
    found = found[found.against != "none"].reset_index(drop=True)
    found["implied"] = gains.implied_flips().reindex(found.model).to_numpy()
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
