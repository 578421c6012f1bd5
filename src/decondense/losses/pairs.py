"""Sums over all pairs of tokens without an N x N matrix: value and gradient in one pass over blocks."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Tokens a side of a block, with one thread and with several. The smaller one stays in the second-level cache. But with
# several threads each operation on a block waits for all of them, and beside other work for a core: so fewer, larger.
ALONE, TOGETHER = 256, 512

Kernel = Callable[[Tensor], tuple[Tensor, Tensor]]  # inner products -> values and derivatives, both elementwise


def pair_sum(
    x: Float[Tensor, "batch tokens features"],
    kernel: Kernel,
    *,
    offset: Float[Tensor, "batch tokens"] | None = None,
    mask: Bool[Tensor, "batch tokens"] | None = None,
    block: int | None = None,
) -> Float[Tensor, "batch"]:
    """For each sequence the sum of k(<x_i, x_j> + a_i + a_j) over its ordered pairs i != j.

    kernel
        Gives k(t) and its derivative k'(t) for a tensor t of any shape. The derivative is taken as it is given: it
        may belong to another function, as for a clamp with a straight-through gradient.
    offset
        The numbers a_i; zero when `None`.
    mask
        True for tokens that take part; pairs with any other token are left out.
    block
        Tokens a side of a block; by default 512, with one thread 256.

    Only blocks on and above the diagonal are made. The gradient, 2 sum_j k'(t_ij) x_j, is summed up while the blocks
    are at hand and kept for the backward pass, so no block is made twice: memory is O(N d + block^2) a sequence.
    A second derivative does not exist. Autocast does not reach inside; give float32 or float64.
    """
    wanted = torch.is_grad_enabled() and (x.requires_grad or (offset is not None and offset.requires_grad))
    return _PairSum.apply(x, offset, mask, kernel, block or usual_block(), wanted)


def usual_block() -> int:
    """Tokens a side of a block where `pair_sum` is given no number."""
    return ALONE if torch.get_num_threads() == 1 else TOGETHER


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, offset, mask, kernel, block, wanted):
        with torch.autocast(x.device.type, enabled=False):
            total, grad, grad_offset = _sweep(x.detach(), offset, mask, kernel, block, wanted)
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


def _sweep(x, offset, mask, kernel, block, wanted):
    """The sum, and where wanted its gradients with respect to x and to the offset.

    Each operation on a block waits for all threads, so there are as few as possible: a masked token is made zero and
    given the weight zero here, once, and not in each of its pairs.
    """
    weight = None
    if mask is not None:
        weight, x = mask.to(x.dtype), x.where(mask[..., None], 0)
        offset = None if offset is None else offset.where(mask, 0)
    total = x.new_zeros(x.shape[0])
    grad = torch.zeros_like(x) if wanted else None
    grad_offset = x.new_zeros(x.shape[:2]) if wanted and offset is not None else None
    for a in range(0, x.shape[1], block):
        rows = slice(a, a + block)
        for b in range(a, x.shape[1], block):
            columns = slice(b, b + block)
            value, slope = _of_block(x, offset, kernel, rows, columns)
            # A pair above the diagonal stands for itself and for its mirror image.
            total.add_(_total(value, weight, rows, columns), alpha=1 if a == b else 2)
            if wanted:
                _add_gradients(slope, x, weight, grad, grad_offset, rows, columns)
                if a != b:
                    _add_gradients(slope.mT, x, weight, grad, grad_offset, columns, rows)
    if wanted and weight is not None:
        grad.mul_(weight[..., None])
        grad_offset = None if grad_offset is None else grad_offset.mul_(weight)
    return total, grad, grad_offset


def _of_block(x, offset, kernel, rows: slice, columns: slice):
    """Value and derivative of the kernel for the pairs of one block; zero on the diagonal."""
    inner = x[:, rows] @ x[:, columns].mT
    if offset is not None:
        inner.add_(offset[:, rows, None]).add_(offset[:, None, columns])
    value, slope = kernel(inner)
    if rows == columns:
        for matrix in (value, slope):
            matrix.diagonal(dim1=-2, dim2=-1).zero_()
    return value, slope


def _total(value, weight, rows: slice, columns: slice):
    if weight is None:
        return value.sum((-2, -1))
    return ((value @ weight[:, columns, None])[..., 0] * weight[:, rows]).sum(-1)


def _add_gradients(slope, x, weight, grad, grad_offset, rows: slice, columns: slice):
    """What the tokens of `columns` do to those of `rows`."""
    grad[:, rows].baddbmm_(slope, x[:, columns], alpha=2)
    if grad_offset is not None:
        each = slope.sum(-1) if weight is None else (slope @ weight[:, columns, None])[..., 0]
        grad_offset[:, rows].add_(each, alpha=2)
