"""How fast a small model learns over its steps, and which rows it sees in each: for loops written by hand."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor


def rate(step: int, steps: int, warm_up: float) -> float:
    """The share of the learning rate at a step, from 0: a linear warm-up over the share `warm_up` of the steps, and
    below the line that falls to 0 after the last:

        min((step + 1) / max(1, warm_up steps), 1 - step / steps)
    """
    return min((step + 1) / max(1.0, warm_up * steps), 1 - step / steps)


def order(rows: int, size: int, seed: int) -> Iterator[Int[Tensor, "batch"]]:
    """Numbers of rows without end, in a new order in each pass; what does not fill a batch is left out of that pass.

    Where there are fewer rows than `size`, a batch has them all.
    """
    generator = torch.Generator().manual_seed(seed)
    size = min(size, rows)
    while True:
        shuffled = torch.randperm(rows, generator=generator)
        yield from (part for part in shuffled.split(size) if len(part) == size)
