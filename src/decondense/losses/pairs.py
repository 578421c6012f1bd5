"""Sums over all pairs of tokens without an N x N matrix: value and gradient in one pass over blocks."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

BLOCK = 256  # tokens: a block of 256 x 256 inner products fits in the second-level cache

Kernel = Callable[[Tensor], tuple[Tensor, Tensor]]  # inner products -> values and derivatives, both elementwise


def pair_sum(
    x: Float[Tensor, "batch tokens features"],
    kernel: Kernel,
    *,
    offset: Float[Tensor, "batch tokens"] | None = None,
    mask: Bool[Tensor, "batch tokens"] | None = None,
    block: int = BLOCK,
) -> Float[Tensor, "batch"]:
    """For each sequence the sum of k(<x_i, x_j> + a_i + a_j) over its ordered pairs i != j.

    kernel
        Gives k(t) and its derivative k'(t) for a tensor t of any shape. The derivative is taken as it is given: it
        may belong to another function, as for a clamp with a straight-through gradient.
    offset
        The numbers a_i; zero when `None`.
    mask
        True for tokens that take part; pairs with any other token are left out.

    Only blocks on and above the diagonal are made. The gradient, 2 sum_j k'(t_ij) x_j, is summed up while the blocks
    are at hand and kept for the backward pass, so no block is made twice: memory is O(N d + block^2) a sequence.
    A second derivative does not exist. Autocast does not reach inside; give float32 or float64.
    """
    wanted = torch.is_grad_enabled() and (x.requires_grad or (offset is not None and offset.requires_grad))
    weights = None if mask is None else mask.to(x.dtype)
    return _PairSum.apply(x, offset, weights, kernel, block, wanted)


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, offset, weights, kernel, block, wanted):
        with torch.autocast(x.device.type, enabled=False):
            total, grad, grad_offset = _sweep(x.detach(), offset, weights, kernel, block, wanted)
        if wanted:
            ctx.save_for_backward(grad, grad_offset)
        return total

    @staticmethod
    def backward(ctx, upstream):
        if torch.is_grad_enabled():  # create_graph=True: what was kept does not know how it depends on x
            raise RuntimeError("A pair sum has no second derivative. Differentiate without create_graph.")
        grad, grad_offset = ctx.saved_tensors
        on_offset = upstream[:, None] * grad_offset if ctx.needs_input_grad[1] else None
        return upstream[:, None, None] * grad, on_offset, None, None, None, None


def _sweep(x, offset, weights, kernel, block, wanted):
    """The sum, and where wanted its gradients with respect to x and to the offset."""
    total = x.new_zeros(x.shape[0])
    grad, grad_offset = (torch.zeros_like(x), x.new_zeros(x.shape[:2])) if wanted else (None, None)
    for a in range(0, x.shape[1], block):
        rows = slice(a, a + block)
        for b in range(a, x.shape[1], block):
            columns = slice(b, b + block)
            value, slope = _block(x, offset, weights, kernel, rows, columns)
            # A pair above the diagonal stands for itself and for its mirror image.
            total += (1 if a == b else 2) * value.sum((-2, -1))
            if wanted:
                grad[:, rows].baddbmm_(slope, x[:, columns], alpha=2)
                grad_offset[:, rows] += 2 * slope.sum(-1)
                if a != b:
                    grad[:, columns].baddbmm_(slope.mT, x[:, rows], alpha=2)
                    grad_offset[:, columns] += 2 * slope.sum(-2)
    return total, grad, grad_offset


def _block(x, offset, weights, kernel, rows: slice, columns: slice):
    """Value and derivative of the kernel for the pairs of one block; zero for pairs that take no part."""
    inner = x[:, rows] @ x[:, columns].mT
    if offset is not None:
        inner += offset[:, rows, None] + offset[:, None, columns]
    value, slope = kernel(inner)
    if weights is not None:
        both = weights[:, rows, None] * weights[:, None, columns]
        value, slope = value * both, slope * both
    if rows == columns:
        for matrix in (value, slope):
            matrix.diagonal(dim1=-2, dim2=-1).zero_()
    return value, slope
