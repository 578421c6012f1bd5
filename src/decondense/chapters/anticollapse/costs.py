"""What a training step costs with each loss, beside plain training: one step of each in turn, many times."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
import torch

from ... import records
from ...base import timing
from ...runs.configuration import Configuration, loss_of
from ...trainers.step import step


def measured(shared: Configuration, changes: Mapping[str, dict], rounds: int = 40) -> records.Record:
    """Record what a training step of each condition takes, of random tokens, in one process and one thread.

    A step is the forward and backward passes, those of a second view among them, and AdamW. `rows` as
    `timing.interleaved` gives them.
    """
    configs = {label: shared.changed(**change) for label, change in changes.items()}
    names = ("shape", "model", "precision", "batch_size", "length", "loss", "options")
    asked = {label: {name: config.as_dict().get(name) for name in names} for label, config in configs.items()}

    def compute() -> tuple[dict, None]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            cases = {label: _step_of(config) for label, config in configs.items()}
            return {"rows": timing.interleaved(cases, rounds, _seconds)}, None
        finally:
            torch.set_num_threads(threads)

    config = {"conditions": asked, "rounds": rounds, "seed": shared.seed}
    return records.run("anticollapse-cost", config, compute, __name__, surroundings={"torch": torch.__version__})


def _seconds(case: Callable[[], object]) -> timing.Cost:
    """Time alone: to set the peak of the memory back takes longer than such a step."""
    start = time.perf_counter()
    case()
    return timing.Cost(time.perf_counter() - start, None)


def _step_of(config: Configuration) -> partial:
    model = config.load().model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    ids = torch.randint(model.config.vocab_size, (config.batch_size, config.length))
    half = config.precision == "bfloat16"
    return partial(step, model, ids, optimizer, None if config.loss is None else loss_of(config), half=half)


def ratios(record: records.Record, baseline: str) -> pd.Series:
    """The time of a step over that of `baseline`, by condition: the fastest of all rounds over the fastest.

    Other work on the machine makes a step slower and never faster. A step takes a tenth of a second, too short for
    ratios within a round: their medians differed by 5 % from one run to the next, which is as much as a loss costs.
    """
    fastest = timing.seconds(record.content["results"]["rows"]).min()
    return fastest / fastest[baseline]
