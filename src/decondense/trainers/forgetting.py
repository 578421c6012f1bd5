"""Active forgetting, a baseline of Table 2: the input embedding is drawn again every so many steps."""

import warnings

import torch
from torch import Tensor
from transformers import TrainerCallback


class ActiveForgetting(TrainerCallback):
    """Every `every` steps the input embedding is drawn again from N(0, `std`^2) and its Adam state cleared.

    Within each cycle the learning rate of the embedding falls linearly from its peak to 0 (`ForgettingMixin` sees to
    that; the paper does not say more than "own linear schedule"). There is no reset after the last step. Where input
    and output embeddings are tied, as in GPT-2, the reset also hits the head: a warning says so.

    Raises
        ValueError: `every` below 1.

    Source: Chen et al. 2023 (active forgetting), a baseline of Table 2; 1000 and 0.02 as in the released code.
    """

    def __init__(self, every: int = 1000, std: float = 0.02):
        if every < 1:
            raise ValueError(f"every must be at least 1 step, got {every}.")
        self.every, self.std = every, std

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at this step of training."""
        return 1 - (step % self.every) / self.every

    def split_group(self, optimizer: torch.optim.Optimizer, weight: Tensor) -> None:
        """Move the embedding to a last group of its own, with the settings of the group it was in."""
        for group in optimizer.param_groups:
            rest = [p for p in group["params"] if p is not weight]
            if len(rest) < len(group["params"]):
                group["params"] = rest
                optimizer.add_param_group({k: v for k, v in group.items() if k != "params"} | {"params": [weight]})
                return

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        output = model.get_output_embeddings()
        if output is not None and output.weight is model.get_input_embeddings().weight:
            message = "Active forgetting: input and output embeddings are tied, so each reset hits the head as well."
            warnings.warn(message, stacklevel=2)

    def on_step_end(self, args, state, control, model=None, optimizer=None, **kwargs):
        if state.global_step % self.every == 0 and state.global_step < state.max_steps:
            weight = model.get_input_embeddings().weight
            generator = torch.Generator().manual_seed(args.seed + state.global_step)  # the same in every process
            with torch.no_grad():
                weight.copy_(torch.empty(weight.shape).normal_(0, self.std, generator=generator))
            optimizer.state.pop(weight, None)


class ForgettingMixin:
    """Gives a trainer with an `ActiveForgetting` callback the learning-rate schedule that its embedding needs."""

    def create_optimizer(self, *args, **kwargs):
        """With active forgetting the input embedding is a group of its own."""
        optimizer = super().create_optimizer(*args, **kwargs)
        forgetting = self._forgetting()
        if forgetting is not None:
            forgetting.split_group(optimizer, self.model.get_input_embeddings().weight)
        return optimizer

    def create_scheduler(self, *args, **kwargs):
        """With active forgetting the embedding's group has a linear schedule within each cycle."""
        scheduler = super().create_scheduler(*args, **kwargs)
        forgetting = self._forgetting()
        if forgetting is not None:
            scheduler.lr_lambdas[-1] = lambda step: forgetting.rate(step)  # a function is not saved, a method is
            scheduler.optimizer.param_groups[-1]["lr"] = scheduler.base_lrs[-1]
        return scheduler

    def _forgetting(self) -> ActiveForgetting | None:
        return next((c for c in self.callback_handler.callbacks if isinstance(c, ActiveForgetting)), None)
