"""Weights rounded to few bits, block by block: what precision alone does to a measurement. Nothing is packed."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

BLOCK = 32  # weights that share a step, as in most types of GGUF
BITS = range(2, 9)


def rounded(weights: Float[Tensor, "outputs inputs"], bits: int, block: int = BLOCK) -> Float[Tensor, "outputs inputs"]:
    """w' = s round(w / s) with s = max |w| / (2^(bits - 1) - 1) over each block of consecutive inputs of one output.

    Symmetric: 2^bits - 1 levels, 0 and both ends among them, so |w' - w| <= s / 2 and the largest of a block stays. The
    last block of a row is shorter where `block` does not divide it. Computed in float32 and given in the dtype of
    `weights`, whose own rounding comes on top (half-precision: use float32 weights for a clean control). The step is
    not rounded; a file that keeps it in 16 bits takes bits + 0.5 a weight.

    Raises
        ValueError: bits outside 2 to 8.
    """
    check(bits)
    inputs = weights.shape[1]
    padded = nn.functional.pad(weights.float(), (0, -inputs % block)).unflatten(1, (-1, block))
    step = padded.abs().amax(2, keepdim=True) / (2 ** (bits - 1) - 1)
    levels = torch.where(step > 0, padded / step, 0.0).round()
    return (levels * step).flatten(1)[:, :inputs].to(weights.dtype)


@torch.no_grad()
def quantise_(model: nn.Module, bits: int) -> nn.Module:
    """Round the weight matrices of a model in place, by `rounded`: those of its linear layers and its embeddings.

    A matrix that two layers share is rounded once. Biases and norms stay. GPT-2's `Conv1D` has its inputs along the
    first axis, and is rounded along that. Returns the model.

    Raises
        ValueError: bits outside 2 to 8; weights with two axes or more that belong to no such layer (experts): nothing
            is rounded then.
    """
    check(bits)
    matrices = _matrices(model)
    known = {id(weights) for weights, _ in matrices}
    if left := [name for name, weights in model.named_parameters() if weights.ndim > 1 and id(weights) not in known]:
        raise ValueError(f"{left[0]} is no weight of a linear layer or an embedding: such a model cannot be rounded.")
    for weights, turned in {id(weights): (weights, turned) for weights, turned in matrices}.values():
        weights.copy_(rounded(weights.T, bits).T if turned else rounded(weights, bits))
    return model


def check(bits: int) -> None:
    """Refuse a number of bits that no rounding here has.

    Raises
        ValueError: outside 2 to 8.
    """
    if bits not in BITS:
        raise ValueError(f"Weights are rounded to {BITS[0]} to {BITS[-1]} bits, got {bits}.")


def _matrices(model: nn.Module) -> list[tuple[Tensor, bool]]:
    """Each weight matrix, and whether its inputs lie along the first axis."""
    from transformers.pytorch_utils import Conv1D

    kinds = (nn.Linear, nn.Embedding, Conv1D)
    return [(layer.weight, isinstance(layer, Conv1D)) for layer in model.modules() if isinstance(layer, kinds)]
