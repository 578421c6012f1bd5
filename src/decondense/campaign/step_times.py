"""What a training step takes in each condition of an item: for what is compared at equal time."""

from collections.abc import Callable
from functools import partial

import torch

from .. import records
from ..base import machine, timing
from ..runs.configuration import Configuration, loss_of
from ..runs.items import Runs
from ..trainers.step import step
from .speed import cost, here

ROUNDS = 20


def measured(item: Runs, tiny: bool) -> records.Record:
    """Record the time of one step of each condition in turn, of random tokens, `ROUNDS` times.

    A step is the forward and backward passes, those of a second view among them, and AdamW, without the trainer around
    it. `rows` as `timing.interleaved` gives them; a weight does not change a time.
    """
    configs = {label: item.shared.changed(**change) for label, change in item.changes.items()}
    names = ("shape", "precision", "batch_size", "length", "loss", "options")
    asked = {label: {name: config.as_dict().get(name) for name in names} for label, config in configs.items()}

    def compute() -> tuple[dict, None]:
        return {"rows": timing.interleaved({label: _step(c) for label, c in configs.items()}, ROUNDS, cost)}, None

    config = {"conditions": asked, "rounds": ROUNDS, "tiny": tiny, "seed": 0}
    return records.run(f"campaign-{item.name}-step-times", config, compute, __name__, surroundings=here())


def _step(config: Configuration) -> Callable[[], None]:
    model = config.load().model.to(machine.device()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    ids = torch.randint(model.config.vocab_size, (config.batch_size, config.length), device=machine.device())
    loss = None if config.loss is None else loss_of(config)
    return partial(step, model, ids, optimizer, loss, half=config.precision == "bfloat16")
