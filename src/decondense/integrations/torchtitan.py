"""The regulariser in a run of torchtitan: what `trainers.DispersionMixin` is to a Hugging Face `Trainer`."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from .. import losses
from ..trainers.layers import Layers, entries, per_layer

IGNORED = -100  # the label of a token that nothing has to predict
_KEPT = "_decondense_state"
_LATE = "Not every block ran, or they were compiled and run before: add the regulariser before the first step."


def add_regulariser(
    trainer,
    loss: str = "dispersion",
    *,
    weight: float = 0.1,
    layers: Layers = "all",
    subsample: int | None = 256,
    **options,
) -> None:
    """Adds weight * mean over layers of a loss on the residual stream to the loss of a trainer that is built::

        trainer = config.build()                         # as in torchtitan's train.py
        add_regulariser(trainer)                         # the paper's loss and weight
        trainer.train()

    The states are the outputs of the blocks (`model.layers`), read by hooks outside of activation checkpointing;
    entry L is that of the final norm (`model.norm`). Each batch counts as its share of the step: the mean over the
    accumulated batches and the data-parallel ranks is added, whatever the number of their tokens. A document, by
    `positions`, is a sequence of its own; one without a label (torchtitan's padding) takes no part, and a batch without
    two tokens of any adds 0. Validation keeps the plain loss. torchtitan logs the total; the regulariser without
    the weight, as this batch's share, is in the metrics that the loss returns, as "regulariser/mean".

    loss, layers, subsample, options
        As in `trainers.DispersionMixin`. The subsample is drawn from torch's global random state.

    Raises
        ValueError: unknown loss or option, or a loss of two views; a weight that is not positive, layers that do not
            exist; a model without `layers` and `norm`; several pipeline stages, tensor or context parallelism, CUDA
            graphs, or the backend "full_dtensor", under which the states of a text are not all in one place, or cannot
            be read.
        RuntimeError: in training, a block did not run; the loss of a torchtitan below 0.3, of another scale.

    Source: Section 4 of the paper. The interface is that of torchtitan 0.3.0: `Trainer.loss_fn`, `Trainer.model_parts`.
    """
    _refuse(trainer)
    if not 0 < weight < float("inf"):
        raise ValueError(f"weight must be above 0, got {weight}. For plain training leave the trainer as it is.")
    model, plain = trainer.model_parts[0], trainer.loss_fn
    chosen = entries(layers, len(model.layers))
    of_layer = losses.get(loss, **options)
    if losses.needs_views(of_layer):
        raise ValueError(f"{loss} needs two views of each batch, and torchtitan makes one pass: take another loss.")
    losses.trial(of_layer, subsample)  # a bad option fails here, not at the first step
    least = losses.least_texts(of_layer)
    ranks = trainer.parallel_dims.dp_replicate * trainer.parallel_dims.dp_shard
    share = 1 / (trainer.gradient_accumulation_steps * ranks)  # torchtitan sums the gradients of batches and ranks
    taken = _listen(model)

    def regularised(pred, labels, global_valid_tokens=None, **inputs):
        total, metrics = _of_step(plain(pred, labels, global_valid_tokens, **inputs))
        if not torch.is_grad_enabled():
            return total, metrics
        stream, value = taken(), total.new_zeros(())
        if len(stream) <= len(model.layers):
            raise RuntimeError(f"{len(stream)} of {len(model.layers) + 1} states arrived. {_LATE}")
        mask, documents = _documents(labels, inputs.get("positions"))
        if losses.has_pairs(stream[chosen[0]], mask, documents, least):
            value = per_layer(stream, of_layer, chosen, mask, document_ids=documents, subsample=subsample).mean()
        return total + weight * share * value, metrics | {"regulariser/mean": share * value.detach()}

    trainer.loss_fn = regularised


def _refuse(trainer) -> None:
    dims, config = trainer.parallel_dims, trainer.config
    unfit = {
        "pipeline parallelism: set --parallelism.pipeline_parallel_degree 1": dims.pp > 1,
        "tensor parallelism: set --parallelism.tensor_parallel_degree 1": dims.tp > 1,
        "context parallelism: set --parallelism.context_parallel_degree 1": dims.cp > 1,
        "DTensors as states: set --parallelism.spmd_backend spmd_types": dims.spmd_backend == "full_dtensor",
        "SPMD type checking: leave --debug.spmd_typechecking out": config.debug.spmd_typechecking,
        "CUDA graphs: set --training.disable_cuda_graphs": not config.training.disable_cuda_graphs,
    }
    for what in (name for name, found in unfit.items() if found):
        raise ValueError(f"The regulariser cannot be added under {what}.")
    model = trainer.model_parts[0]
    if not isinstance(getattr(model, "layers", None), nn.ModuleDict) or getattr(model, "norm", None) is None:
        raise ValueError(f"{type(model).__name__} has no `layers` and `norm`. Give a decoder of torchtitan.")


def _listen(model: nn.Module) -> Callable[[], dict[int, Tensor]]:
    """What gives the states of the last forward pass that had a gradient, once: entry -> (batch, tokens, features).

    Each module keeps its own output under one name. A hook that knew its entry would be compiled again for each block,
    and torchtitan compiles its blocks one by one.
    """
    modules = [*model.layers.values(), model.norm]
    numbers = [
        *range(1, len(modules) - 1),
        len(modules),
        len(modules) - 1,
    ]  # the last block's output lies before the norm

    def keep(module, _args, output):
        if torch.is_grad_enabled():
            setattr(module, _KEPT, output)

    def taken() -> dict[int, Tensor]:
        found = {number: vars(module).pop(_KEPT, None) for number, module in zip(numbers, modules, strict=True)}
        return {number: state for number, state in found.items() if state is not None}

    for module in modules:
        module.register_forward_hook(keep)
    return taken


def _of_step(found: object) -> tuple[Tensor, dict]:
    """Loss and metrics, as torchtitan has them since the loss is a sum over the labels of the whole step."""
    if not (isinstance(found, tuple) and len(found) == 2):
        raise RuntimeError(
            "The trainer's loss gives no metrics. Take torchtitan 0.3 or later: before, it had another scale."
        )
    return found


def _documents(
    labels: Int[Tensor, "batch tokens"], positions: Int[Tensor, "batch tokens"] | None
) -> tuple[Bool[Tensor, "batch tokens"], Int[Tensor, "batch tokens"] | None]:
    """Which tokens are of a document with a label, and the documents; without positions a row is one."""
    documents = torch.zeros_like(labels) if positions is None else losses.document_ids(positions)
    labelled = torch.zeros_like(documents).scatter_add(1, documents, (labels != IGNORED).long())
    return labelled.gather(1, documents) > 0, None if positions is None else documents
