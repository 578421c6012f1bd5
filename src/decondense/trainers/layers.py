"""Which entries of the residual stream a regulariser reads, its value at each, and whether any weight hears of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..base.errors import unknown

LAYERS = ("all", "last", "early_half", "late_half", "block_outputs")

Layers = Literal["all", "last", "early_half", "late_half", "block_outputs"] | Sequence[int]


def entries(layers: Layers, blocks: int) -> list[int]:
    """Which entries 1..L of the residual stream of a model with L = `blocks` blocks the regulariser reads.

    "all" is 1..L, "last" is L, "early_half" 1..L//2, "late_half" L//2 + 1..L, as in the released code; or the entries
    themselves. "block_outputs" is "all" with L + 1, the output of the last block before the final norm, in place of L,
    as in the released pre-training code. Entry 0, the embedding output, is in none of the five.

    Raises
        ValueError: another word, or an entry that the model does not have.
    """
    named = {
        "all": range(1, blocks + 1),
        "last": range(blocks, blocks + 1),
        "early_half": range(1, blocks // 2 + 1),
        "late_half": range(blocks // 2 + 1, blocks + 1),
        "block_outputs": [*range(1, blocks), blocks + 1],
    }
    if isinstance(layers, str) and layers not in named:
        raise unknown("layers", layers, LAYERS)
    found = list(named[layers] if isinstance(layers, str) else layers)
    last = blocks + 1 if layers == "block_outputs" else blocks
    whole = all(isinstance(entry, int) and not isinstance(entry, bool) and 0 <= entry <= last for entry in found)
    if not (whole and found and len(set(found)) == len(found)):
        shown = layers if isinstance(layers, str) else found
        raise ValueError(f"layers={shown!r}: a model of {blocks} blocks has the entries 0 to {blocks}, each once.")
    return found


def per_layer(
    stream: Mapping[int, Tensor | None], loss, chosen: Sequence[int], mask: Tensor | None = None, *,
    views: Mapping[int, Tensor] | None = None, **how,
) -> Float[Tensor, "layers"]:  # fmt: skip
    """The loss of each of the `chosen` entries of a residual stream; its mean is the regulariser of the paper.

    views
        The states of another pass, for a loss of two views.
    """
    given = lambda entry: {} if views is None else {"views": views[entry]}
    return torch.stack([loss(stream[entry], mask=mask, **given(entry), **how) for entry in chosen])


def reaches_weights(state: Tensor, below: Iterable[nn.Module]) -> bool:
    """Whether a gradient at a hidden state would come to a parameter: there is one in the graph that made the state.

    That the state requires a gradient is not enough: with checkpointing PEFT makes the embeddings require one, and none
    of their weights. Into a block that is checkpointed in the reentrant way the graph does not look; then the blocks
    `below` the state are asked whether they have weights that train.
    """
    nodes, seen, hidden = [state.grad_fn], set(), False
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(getattr(node, "variable", None), nn.Parameter):
            return True
        hidden = hidden or "Checkpoint" in node.name()
        nodes += [following for following, _ in node.next_functions]
    return hidden and any(p.requires_grad for module in below for p in module.parameters())
