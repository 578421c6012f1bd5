"""The regulariser in a trainer: `DispersionMixin` for any trainer built on Hugging Face's, and `DispersionTrainer`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import Trainer
from transformers.trainer_utils import get_last_checkpoint

from .. import hooks, losses
from . import arguments
from .forgetting import ForgettingMixin
from .layers import Layers, entries, per_layer, reaches_weights
from .tokens import tokens_of

DOCUMENTS = "document_ids"  # a column of the data, for the regulariser alone


class DispersionMixin(ForgettingMixin):
    """Adds to the loss of a trainer weight * mean over layers of a loss on the residual stream. It comes first::

        class Regularised(DispersionMixin, SFTTrainer): ...
        Regularised(model=model, args=args, train_dataset=data)          # the paper's loss and weight

    The trainer is Hugging Face's `Trainer` or one built on it, such as those of TRL. It makes its own loss in its own
    way; the states are those of the forward passes that have a gradient, so that a reference model's, or those made
    for metrics, do not count. Of several such passes the mean is taken.

    loss
        A name of `losses.names()`; a table of names and weights, whose sum is taken (`losses.combined`); a loss with
        options, `losses.get("sigreg", slices=512)`, or any function of `z`, `mask`, `document_ids`, `subsample` and
        `generator`; `None` for plain training with the same logs.
        Losses of two views (`losses.needs_views`) make a second forward pass of each batch, with its backward pass:
        about twice the time. The model needs dropout.
    weight
        The paper's lambda: 0.1, and 1 for a table, whose losses have weights of their own.
    layers
        As in `entries`.
    temperature, clamp
        Of the losses that have one; `None` takes the loss's own, 1 and 0.1.
    acute
        Of `dispersion`: only pairs at an acute angle are pushed.
    subsample
        Random tokens of each sequence that enter the loss, anew at every layer and step, drawn from `args.seed`;
        `None` takes them all. The released code takes 256.
    centre
        "batch" for `dispersion` without what the texts of a batch share. It and `mean_direction` need two texts in a
        batch: the first one is refused without, a later one counts as one without pairs. They are between the texts
        of a micro-batch and a process, so that many small batches are not one large one to them.

    Padding takes no part, nor do the virtual tokens of PEFT's prompt learning. A packed row is its documents, by
    `position_ids`, `cu_seq_lens_q`, or a column "document_ids" of the data (`tokens`). The loss is off in evaluation.
    Logged beside `loss`, the total: `loss_language` (the trainer's own), `loss_regulariser` (without the weight), and
    `batches_without_pairs`, how many had no two tokens of a text, if any had: their regulariser is 0. Gradient
    accumulation and data-parallel processes give the same total as one large batch, up to the draw of the subsample,
    where all micro-batches have as many sequences, or documents of packed rows, with a pair: each micro-batch counts
    alike, and as 0 where it has no pair.
    With an `ActiveForgetting` callback the input embedding gets the learning-rate schedule of that baseline.

    Raises
        TypeError: the mixin comes behind the trainer whose loss it is to add to.
        ValueError: unknown loss, a weight or temperature that is not positive, layers that do not exist, a model
            whose blocks cannot be found, several GPUs in one process; a centre that is neither "batch" nor `None`;
            two views without dropout, or in several processes.
        RuntimeError: in training, the regulariser reaches no weight, or the trainer never asks for this loss.
        FloatingPointError: a loss is no longer finite; names the step, the layer and the last checkpoint.

    Source: Section 4 of the paper; layers, subsample and evaluation as in the released code.
    """

    terms = ("loss_regulariser", "loss_language")  # what is logged beside the total

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        before = cls.__mro__[: cls.__mro__.index(DispersionMixin)]
        if wrong := [c for c in before if "compute_loss" in vars(c) and not issubclass(c, DispersionMixin)]:
            first = next(c.__name__ for c in cls.__bases__ if issubclass(c, DispersionMixin))
            raise TypeError(
                f"{cls.__name__}: {wrong[0].__name__} comes before {first}, which would never be asked for the loss. "
                f"Write class {cls.__name__}({first}, {wrong[0].__name__})."
            )

    def __init__(
        self,
        *args,
        loss: str | Mapping[str, float] | Callable[..., Tensor] | None = "dispersion",
        weight: float | None = None,
        layers: Layers = "all",
        temperature: float | None = None,
        subsample: int | None = 256,
        centre: str | None = None,
        clamp: float | None = None,
        acute: bool = False,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        options = {"temperature": temperature, "centre": centre, "clamp": clamp, "acute": acute or None}
        self.loss, self.weight = arguments.checked(loss, weight, subsample, **options)
        if self.args.n_gpu > 1:
            raise ValueError("Several GPUs in one process are not supported. Start with `accelerate launch`.")
        self._least, self._met = losses.least_texts(self.loss), False  # whether a batch had so many texts
        self._two_views = losses.needs_views(self.loss)
        if self._two_views and self.args.world_size > 1:
            raise ValueError("Losses of two views train in one process: their second pass would be summed up twice.")
        self.subsample = subsample
        self.entries = entries(layers, len(hooks.blocks(self.model)))
        self._heard = False  # whether the regulariser was seen to reach a weight
        self._logged, self._position = torch.zeros(len(self.terms) + 2), (-1, 0)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The total loss in training, the trainer's own in evaluation."""
        inputs = dict(inputs)
        document_ids = inputs.pop(DOCUMENTS, None)
        if document_ids is None and model.training and DOCUMENTS in _columns(self.train_dataset):
            raise ValueError(
                f'The data has a column "{DOCUMENTS}", and the data collator drops it. Give position_ids that start '
                "again at each document, or a collator that keeps the column."
            )
        if not model.training:
            return super().compute_loss(
                model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch
            )
        # The states are alive anyway for the backward pass. Reading them after the forward pass keeps the
        # regulariser out of what gradient checkpointing computes twice.
        with nullcontext([]) if self.loss is None else hooks.trained_passes(model, self.entries) as passes:
            language, outputs, parts = self.language_term(model, inputs, num_items_in_batch, return_outputs)
        views = self._second_passes(model, passes) if self._two_views else [None] * len(passes)
        regulariser, skipped = self._regulariser(model, passes, document_ids, language, views)
        regulariser = regulariser * self._weight_of_mean(num_items_in_batch)
        share = 1 / self._batches_of_step()
        of_step = torch.stack([regulariser, *parts]).detach().float()
        of_step = of_step * (1 if self._divided(num_items_in_batch) else share)
        of_step = torch.cat([of_step, of_step.new_tensor([share, skipped])])  # shares add up to the number of steps
        self._logged = self._logged.to(of_step) + of_step
        total = language + self.weight * regulariser
        return (total, outputs) if return_outputs else total

    def language_term(
        self, model, inputs: dict, items, return_outputs: bool = False
    ) -> tuple[Tensor, object, tuple[Tensor, ...]]:
        """The total without the regulariser, what the model gave (if asked), the parts to log: `terms` but the first.

        Outputs are asked for only where they are needed: some trainers make another forward pass for them.
        """
        found = super().compute_loss(model, inputs, return_outputs=return_outputs, num_items_in_batch=items)
        loss, outputs = found if return_outputs else (found, None)
        return loss, outputs, (loss,)

    def _second_passes(self, model, passes: Sequence[hooks.Pass]) -> list[dict[int, Tensor]]:
        """The states of the same tokens in another pass each, with other dropout."""
        with hooks.trained_passes(model, self.entries) as again:
            for seen in passes:
                hooks.backbone(model)(**seen.given)
        return [seen.entries for seen in again]

    def _batches_of_step(self) -> int:
        return getattr(self, "current_gradient_accumulation_steps", self.args.gradient_accumulation_steps)

    def _divided(self, items) -> bool:
        """Whether the trainer's own loss is one of the whole step already, so that it is divided no more."""
        if (scaled := getattr(self, "loss_is_scaled_for_ga", None)) is not None:
            return scaled
        return self.compute_loss_func is not None or (self.model_accepts_loss_kwargs and items is not None)

    def _weight_of_mean(self, items) -> float:
        """What a mean over this batch is multiplied by, to be added to the trainer's own loss."""
        return 1 / self._batches_of_step() if self._divided(items) else 1.0

    def _regulariser(
        self, model, passes: Sequence[hooks.Pass], document_ids: Tensor | None, language: Tensor,
        views: Sequence[Mapping[int, Tensor] | None],
    ) -> tuple[Tensor, int]:  # fmt: skip
        """Mean over passes and layers, 0 without a loss; how many passes had no pair. Stops where it is not finite."""
        self._refuse_idle(model, passes)
        generator, virtual = self._generator(), hooks.virtual_tokens(model)
        values, skipped = [language.new_zeros(len(self.entries))], 0
        for seen, other in zip(passes, views, strict=True):
            mask, documents = tokens_of(seen, document_ids, virtual)
            least = self._least if self._met else 1  # so that a first batch of one text is refused, by the loss
            if losses.has_pairs(next(iter(seen.entries.values())), mask, documents, least):
                how = {"document_ids": documents, "subsample": self.subsample, "generator": generator}
                values.append(per_layer(seen.entries, self.loss, self.entries, mask, views=other, **how))
                self._met = True
            else:
                skipped += 1
        value = torch.stack([v.to(language.device) for v in values]).sum(0) / max(len(passes), 1)
        self._refuse_not_finite(value, language)
        return value.mean(), skipped

    def _refuse_idle(self, model, passes: Sequence[hooks.Pass]) -> None:
        """Refuse a regulariser that no weight would hear of; looked for once."""
        if self.loss is None or (passes and self._heard):
            return
        deepest = max(self.entries)
        self._heard = any(reaches_weights(seen.entries[deepest], hooks.blocks(model)[:deepest]) for seen in passes)
        if not self._heard:
            raise RuntimeError(
                "No forward pass of the model had a gradient, so the regulariser could not train it: all weights below "
                "the chosen layers are frozen, or the trainer makes its loss with another model."
            )

    def _refuse_not_finite(self, value: Float[Tensor, "layers"], language: Tensor) -> None:
        if not (language + value.sum()).isfinite():
            broken = [str(e) for e, v in zip(self.entries, value.tolist(), strict=True) if not np.isfinite(v)]
            where = f"the regulariser at entries {', '.join(broken)}" if broken else "the language-model loss"
            self._stop(where, language)

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
            *sums, steps, skipped = self.accelerator.reduce(self._logged, "mean").tolist()
            if self.loss is not None and not steps:
                raise RuntimeError(
                    f"{type(self).__name__} was never asked for its loss, so the regulariser did not train: it makes "
                    "the loss elsewhere (TRL's online trainers do), or the model is in evaluation mode."
                )
            logs = logs | {name: value / (steps or 1) for name, value in zip(self.terms, sums, strict=True)}
            logs |= {"batches_without_pairs": round(skipped * self.args.world_size)} if skipped else {}
            self._logged = torch.zeros_like(self._logged)
        super().log(logs, *args, **kwargs)

    def _set_signature_columns_if_needed(self):
        """Keeps the column "document_ids" of the data, which no model takes."""
        super()._set_signature_columns_if_needed()
        if DOCUMENTS not in self._signature_columns:
            self._signature_columns = [*self._signature_columns, DOCUMENTS]


def _columns(data) -> Sequence[str]:
    """The names of the columns of a data set of any kind, as far as it tells them."""
    if getattr(data, "column_names", None):
        return data.column_names
    return list(data[0]) if isinstance(data, list) and data and isinstance(data[0], Mapping) else []


class DispersionTrainer(DispersionMixin, Trainer):
    """Hugging Face's `Trainer` with total loss L_train + weight * mean over layers of the loss on the residual stream::

        DispersionTrainer(model=model, args=args, train_dataset=data)          # the paper's loss and weight

    Arguments, logs and errors are those of `DispersionMixin`.
    """
