"""One training step with the regulariser, for timing: what a trainer does, without a trainer."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from .. import hooks, losses
from .layers import entries


def step(
    model: torch.nn.Module, ids: Int[Tensor, "batch tokens"], optimizer: torch.optim.Optimizer,
    loss: Callable[..., Tensor] | None = None, weight: float = 0.1, half: bool = False,
) -> None:  # fmt: skip
    """Forward and backward pass, the loss on all entries 1..L of the residual stream, clipping, and the optimizer.

    loss
        A function of the states (batch, tokens, features); one of two views gets those of a second pass.
    half
        The forward pass and the loss in bfloat16 autocast.
    """
    chosen = entries("all", len(hooks.blocks(model)))
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=half):
        with hooks.trained_passes(model, chosen) as passes:
            total = model(input_ids=ids, labels=ids).loss
            if losses.needs_views(loss):
                hooks.backbone(model)(input_ids=ids)
        if loss is not None:
            total = total + weight * _regulariser(loss, [seen.entries for seen in passes], chosen)
    total.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def _regulariser(loss: Callable[..., Tensor], passes: list[dict[int, Tensor]], chosen: list[int]) -> Tensor:
    first, *second = passes
    views = lambda entry: {"views": second[0][entry]} if second else {}
    return torch.stack([loss(first[entry], **views(entry)) for entry in chosen]).mean()
