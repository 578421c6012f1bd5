"""`DispersionTrainer`: Hugging Face's `Trainer` with a loss on the residual stream; active forgetting as a callback."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from .. import hooks, losses
from ..base.errors import unknown
from .forgetting import ActiveForgetting
from .watching import CondensationCallback as CondensationCallback

LAYERS = ("all", "last", "early_half", "late_half")
WARM_UP = 0.2  # share of the steps

Layers = Literal["all", "last", "early_half", "late_half"] | Sequence[int]


def paper_arguments(output_dir, max_steps: int, *, world_size: int = 1, **others) -> TrainingArguments:
    """`TrainingArguments` with the paper's optimiser: AdamW, cosine decay after a warm-up over 20 % of the steps.

    Peak learning rate 5e-5 (GPT-2 mid-training, Table S1) times sqrt(`world_size`), weight decay 0.1, betas 0.9 and
    0.95, gradients clipped at 1, bfloat16 autocast where there is a GPU. `others` go to `TrainingArguments` and come
    first.

    Source: Table S1; warm-up, decay, betas, clip and the factor sqrt(world size) from the released code.
    """
    settings = {
        "learning_rate": 5e-5 * world_size**0.5,
        "lr_scheduler_type": "cosine",
        "warmup_steps": int(WARM_UP * max_steps),
        "weight_decay": 0.1,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "max_grad_norm": 1.0,
        "bf16": torch.cuda.is_available(),
        "report_to": "none",
    }
    return TrainingArguments(output_dir=str(output_dir), max_steps=max_steps, **settings | others)


def entries(layers: Layers, blocks: int) -> list[int]:
    """Which entries 1..L of the residual stream of a model with L = `blocks` blocks the regulariser reads.

    "all" is 1..L, "last" is L, "early_half" 1..L//2, "late_half" L//2 + 1..L, as in the released code; or the entries
    themselves. Entry 0, the embedding output, is in none of the four.

    Raises
        ValueError: another word, or an entry that the model does not have.
    """
    named = {
        "all": range(1, blocks + 1),
        "last": range(blocks, blocks + 1),
        "early_half": range(1, blocks // 2 + 1),
        "late_half": range(blocks // 2 + 1, blocks + 1),
    }
    if isinstance(layers, str) and layers not in named:
        raise unknown("layers", layers, LAYERS)
    found = list(named[layers] if isinstance(layers, str) else layers)
    outside = [entry for entry in found if not 0 <= entry <= blocks]
    if outside or not found:
        shown = layers if isinstance(layers, str) else found
        raise ValueError(f"layers={shown!r}: a model of {blocks} blocks has the entries 0 to {blocks}.")
    return found


def per_layer(
    stream: Mapping[int, Tensor | None], loss, chosen: Sequence[int], mask: Tensor | None = None, **how
) -> Float[Tensor, "layers"]:
    """The loss of each of the `chosen` entries of a residual stream; its mean is the regulariser of the paper."""
    return torch.stack([loss(stream[entry], mask=mask, **how) for entry in chosen])


class DispersionTrainer(Trainer):
    """Hugging Face's `Trainer` with total loss L_train + weight * mean over layers of the loss on the residual stream::

        DispersionTrainer(model=model, args=args, train_dataset=data)          # the paper's loss and weight

    loss
        A name of `losses.names()`, or `None` for plain training with the same logs.
    weight
        The paper's lambda.
    layers
        As in `entries`.
    temperature
        Of the losses that have one; `None` takes the loss's own, 1.
    subsample
        Random tokens of each sequence that enter the loss, anew at every layer and step, drawn from `args.seed`;
        `None` takes them all. The released code takes 256.

    Padding (`attention_mask`) takes no part. The loss is off in evaluation. Logged beside `loss`, the total:
    `loss_language` and `loss_regulariser` (without the weight). Gradient accumulation and data-parallel processes give
    the same total as one large batch, up to the draw of the subsample. With an `ActiveForgetting` callback the input
    embedding gets the learning-rate schedule of that baseline.

    Raises
        ValueError: unknown loss, a weight or temperature that is not positive, layers that do not exist, a model
            whose blocks cannot be found, several GPUs in one process.
        FloatingPointError: a loss is no longer finite; names the step, the layer and the last checkpoint.

    Source: Section 4 of the paper; layers, subsample and evaluation as in the released code.
    """

    terms = ("loss_regulariser", "loss_language")  # what is logged beside the total

    def __init__(
        self,
        *args,
        loss: str | None = "dispersion",
        weight: float = 0.1,
        layers: Layers = "all",
        temperature: float | None = None,
        subsample: int | None = 256,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        if loss is not None and not 0 < weight < float("inf"):
            raise ValueError(f"weight must be above 0, got {weight}. For plain training give loss=None.")
        if temperature is not None and not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}.")
        if self.args.n_gpu > 1:
            raise ValueError("Several GPUs in one process are not supported. Start with `accelerate launch`.")
        options = {} if temperature is None else {"temperature": temperature}
        self.loss = None if loss is None else losses.get(loss, **options)
        if self.loss is not None:
            self.loss(torch.zeros(1, 2, 1), subsample=subsample)  # a bad option fails here, not at the first step
        self.weight, self.subsample = weight, subsample
        self.entries = entries(layers, len(hooks.blocks(self.model)))
        self._logged, self._position = torch.zeros(len(self.terms) + 1), (-1, 0)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The total loss in training, the language-model loss in evaluation."""
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        keep = lambda entry, hidden: hidden if entry in self.entries else None
        # The states are alive anyway for the backward pass. Reading them after the forward pass keeps the
        # regulariser out of what gradient checkpointing computes twice.
        with hooks.residual_stream(model, keep) as stream:
            language, outputs, parts = self.language_term(model, inputs, num_items_in_batch)
        regulariser = self._regulariser(stream, inputs.get("attention_mask"), language)
        regulariser = regulariser * self._weight_of_mean(num_items_in_batch)
        share = 1 / self._batches_of_step()
        of_step = torch.stack([regulariser, *parts]).detach() * (1 if self._divided(num_items_in_batch) else share)
        of_step = torch.cat([of_step, of_step.new_tensor([share])])  # this one adds up to the number of steps
        self._logged = self._logged.to(of_step) + of_step
        total = language + self.weight * regulariser
        return (total, outputs) if return_outputs else total

    def language_term(self, model, inputs: dict, items) -> tuple[Tensor, object, tuple[Tensor, ...]]:
        """The total without the regulariser, what the model gave, and the parts to log: `terms` but for the first."""
        loss, outputs = super().compute_loss(model, inputs, True, items)
        return loss, outputs, (loss,)

    def _batches_of_step(self) -> int:
        return getattr(self, "current_gradient_accumulation_steps", self.args.gradient_accumulation_steps)

    def _divided(self, items) -> bool:
        """Whether the language-model loss is divided by the items of the whole step, so the Trainer divides no more."""
        return self.compute_loss_func is not None or (self.model_accepts_loss_kwargs and items is not None)

    def _weight_of_mean(self, items) -> float:
        """What a mean over this batch is multiplied by, to be added to the language-model loss."""
        return 1 / self._batches_of_step() if self._divided(items) else 1.0

    def _regulariser(self, stream: Mapping[int, Tensor | None], mask: Tensor | None, language: Tensor) -> Tensor:
        """Mean over the layers; 0 without a loss. Stops where anything is not finite."""
        values = language.new_zeros(1)
        if self.loss is not None:
            how = {"subsample": self.subsample, "generator": self._generator()}
            values = per_layer(stream, self.loss, self.entries, mask, **how)
        if not (language + values.sum()).isfinite():
            broken = [str(e) for e, v in zip(self.entries, values.tolist(), strict=False) if not np.isfinite(v)]
            where = f"the regulariser at entries {', '.join(broken)}" if broken else "the language-model loss"
            self._stop(where, language)
        return values.mean()

    def _generator(self) -> torch.Generator:
        """Of this step, batch and process alone, so that a run that is resumed draws what it would have drawn."""
        step, batch = self._position
        self._position = (self.state.global_step, batch + 1 if step == self.state.global_step else 0)
        seed = np.random.SeedSequence([self.args.seed, *self._position, self.args.process_index]).generate_state(1)[0]
        return torch.Generator().manual_seed(int(seed))

    def _stop(self, where: str, language: Tensor) -> None:
        last = get_last_checkpoint(self.args.output_dir) if Path(self.args.output_dir).is_dir() else None
        raise FloatingPointError(
            f"Step {self.state.global_step + 1}: {where} is not finite (language-model loss {language.item():.4g}). "
            f"Last checkpoint: {last or 'none'}. Lower the learning rate or the weight, and resume from there."
        )

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        """Adds the terms, each a mean over the steps since the last log and over the processes."""
        if "loss" in logs:
            *sums, steps = self.accelerator.reduce(self._logged, "mean").tolist()
            logs = logs | {name: value / (steps or 1) for name, value in zip(self.terms, sums, strict=True)}
            self._logged = torch.zeros_like(self._logged)
        super().log(logs, *args, **kwargs)

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
