"""One training step of each condition of a set of runs, to be timed: for what is compared at equal time."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from ..base import machine
from ..trainers.step import step
from .configuration import Configuration, loss_of

SETTINGS = ("shape", "model", "precision", "batch_size", "length", "loss", "options")  # what the time depends on


def settings(conditions: Mapping[str, Configuration]) -> dict[str, dict]:
    """What decides the time of a step in each condition; a weight does not."""
    return {label: {name: c.as_dict().get(name) for name in SETTINGS} for label, c in conditions.items()}


def cases(conditions: Mapping[str, Configuration]) -> dict[str, Callable[[], None]]:
    """A step of random tokens for each condition, for `timing.interleaved`.

    A step is the forward and backward passes, those of a second view among them, and AdamW, without the trainer around
    it.
    """
    return {label: _step(configuration) for label, configuration in conditions.items()}


def _step(configuration: Configuration) -> Callable[[], None]:
    model = configuration.load().model.to(machine.device()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    shape = (configuration.batch_size, configuration.length)
    ids = torch.randint(model.config.vocab_size, shape, device=machine.device())
    loss = None if configuration.loss is None else loss_of(configuration)
    return partial(step, model, ids, optimizer, loss, half=configuration.precision == "bfloat16")
