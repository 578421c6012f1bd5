"""What a training step costs with each loss, beside plain training: one step of each in turn, many times."""

import time
from collections.abc import Callable, Mapping

import pandas as pd
import torch

from ... import records
from ...base import timing
from ...runs import steps
from ...runs.configuration import Configuration


def measured(shared: Configuration, changes: Mapping[str, dict], rounds: int = 40) -> records.Record:
    """Record what a training step (`runs.steps`) of each condition takes, in one process and one thread.

    `rows` as `timing.interleaved` gives them.
    """
    conditions = {label: shared.changed(**change) for label, change in changes.items()}

    def compute() -> tuple[dict, None]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return {"rows": timing.interleaved(steps.cases(conditions), rounds, _seconds)}, None
        finally:
            torch.set_num_threads(threads)

    config = {"conditions": steps.settings(conditions), "rounds": rounds, "seed": shared.seed}
    return records.run("anticollapse-cost", config, compute, __name__, surroundings={"torch": torch.__version__})


def _seconds(case: Callable[[], object]) -> timing.Cost:
    """Time alone: to set the peak of the memory back takes longer than such a step."""
    start = time.perf_counter()
    case()
    return timing.Cost(time.perf_counter() - start, None)


def ratios(record: records.Record, baseline: str) -> pd.Series:
    """The time of a step over that of `baseline`, by condition: the fastest of all rounds over the fastest.

    Other work on the machine makes a step slower and never faster. A step takes a tenth of a second, too short for
    ratios within a round: their medians differed by 5 % from one run to the next, which is as much as a loss costs.
    """
    fastest = timing.seconds(record.content["results"]["rows"]).min()
    return fastest / fastest[baseline]
