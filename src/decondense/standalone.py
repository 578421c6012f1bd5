"""The dispersion loss against embedding condensation, in one file that needs torch alone. Copy it.

    with residual_stream(model.transformer.h) as stream:             # the list of blocks, of a model not compiled
        loss = model(inputs, targets)
    spread = torch.stack([dispersion(stream[l], subsample=256) for l in range(1, len(stream))]).mean()
    (loss + 0.1 * spread).backward()
    mean_cosine(stream[6].detach()).all_pairs                        # how condensed the texts are at entry 6

Pads are left out by `mask`; packed rows are separated by `document_ids`. Where no sequence has two tokens `dispersion`
raises: ask `has_pairs` first. From decondense 0.1.0 by `python -m decondense.book.standalone`: change it there.

MIT License

Copyright (c) 2026 The decondense authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from functools import wraps
from typing import Any
from typing import Literal
from typing import NamedTuple
import math
from torch import Tensor
from torch import nn
from torch.autograd.function import once_differentiable
import torch

LOWEST_TEMPERATURE = 0.02  # below it the exponentials leave the range of float32
_RANGES = {
    "temperature": (LOWEST_TEMPERATURE, math.inf),
    "clamp": (1e-6, 0.999),  # at 0 the slope of arccos is infinite where tokens coincide
    "eps": (1e-12, math.inf),
    "margin": (1e-12, math.inf),
    "norm_weight": (0, math.inf),
    "t": (1e-3, 20),  # exp(-4 t) stays in the range of float32
    "power": (0.1, 8),
    "variance_weight": (0, math.inf),
    "covariance_weight": (0, math.inf),
    "off_diagonal": (0, math.inf),
    "distortion": (1e-3, math.inf),
    "floor": (0.01, 1),
}

def check_options(**options: float) -> None:
    """Refuse an option of a loss that lies out of its range."""
    for name, value in options.items():
        low, high = _RANGES[name]
        if not (low <= value <= high) or value == math.inf:
            raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value}.")


def visible(z: Tensor, mask: Tensor | None) -> Tensor | None:
    """Which tokens of z take part, as booleans where z is; `None`, without a mask, for all.

    Raises
        ValueError: z is not (batch, tokens, features) of floats; a mask of another shape.
    """
    if z.ndim != 3 or not z.is_floating_point():
        raise ValueError(f"z must be (batch, tokens, features) of floats, got {tuple(z.shape)} of {z.dtype}.")
    if mask is not None and mask.shape != z.shape[:2]:
        raise ValueError(f"mask must be {tuple(z.shape[:2])} as the tokens of z, got {tuple(mask.shape)}.")
    return None if mask is None else mask.to(device=z.device, dtype=torch.bool)


def prepare(z: Tensor, mask: Tensor | None, subsample: int | None, generator) -> tuple[Tensor, Tensor | None]:
    """z in float32 at least, hidden tokens set to zero (whatever they held), positions drawn; and a boolean mask.

    Raises
        ValueError: see the package `losses`.
    """
    mask = visible(z, mask)
    if subsample is not None and subsample < 2:
        raise ValueError(f"subsample must be at least 2, got {subsample}.")
    if z.shape[1] < 2:
        raise ValueError(f"z has {z.shape[1]} token(s); pairs need at least 2. Give longer sequences.")
    if not len(z):
        raise ValueError("z has 0 sequences. Give at least one.")
    z = z if z.dtype == torch.float64 else z.float()
    if mask is not None:
        mask = mask & (mask.sum(1, keepdim=True) > 1)  # one token has no pair
        if not mask.any():
            raise ValueError("The mask leaves no sequence two tokens. Give at least one text of two tokens.")
        z = z.where(mask[..., None], 0)
    return _drawn(z, mask, subsample, generator) if subsample and subsample < z.shape[1] else (z, mask)


def _drawn(z: Tensor, mask: Tensor | None, count: int, generator) -> tuple[Tensor, Tensor | None]:
    device = z.device if generator is None else generator.device
    score = torch.rand(z.shape[:2], generator=generator, device=device).to(z.device)
    positions = (score if mask is None else score.where(mask, -1)).topk(count, dim=1).indices
    return z.gather(1, positions[..., None].expand(-1, -1, z.shape[-1])), (
        None if mask is None else mask.gather(1, positions)
    )


def directions(
    z: Tensor, eps: float, length: float | Tensor = 1.0
) -> Tensor:
    """length z / (norm + eps); no gradient goes to `length`. A zero vector stays zero, with a finite gradient."""
    return _Directions.apply(z, eps, length)


class _Directions(torch.autograd.Function):
    """The gradient is written out: autograd would make twice the passes over the tokens, and more copies."""

    @staticmethod
    def forward(ctx, z, eps, length):
        ctx.save_for_backward(z)
        ctx.eps, ctx.length = eps, length
        return z * (length / (torch.linalg.vector_norm(z, dim=-1, keepdim=True) + eps))

    @staticmethod
    def backward(ctx, upstream):
        """length / (norm + eps) (g - <g, z> z / (norm (norm + eps))): a function of z and g, so it has a derivative."""
        (z,) = ctx.saved_tensors
        norm = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
        scale = ctx.length / (norm + ctx.eps)
        radial = (upstream * z).sum(-1, keepdim=True) / norm.clamp_min(torch.finfo(z.dtype).tiny)
        return torch.addcmul(upstream * scale, z, radial * scale / (norm + ctx.eps), value=-1), None, None


def counts(z: Tensor, mask: Tensor | None) -> Tensor:
    """How many tokens of each sequence take part."""
    return z.new_full(z.shape[:1], z.shape[1]) if mask is None else mask.sum(1).to(z.dtype).clamp_min(1)


def mean_over_sequences(value: Callable, total: Tensor, z: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of value(total, N) over the sequences with two tokens or more."""
    n = counts(z, mask)
    if mask is None:
        return value(total, n).mean()
    whole = n > 1
    return value(total[whole], n[whole]).mean()

_LENGTHS = 2 ** torch.arange(1, 40)  # documents of up to 2, 4, 8, ... tokens are padded to the longest of them

def document_ids(position_ids: Tensor) -> Tensor:
    """The documents of packed rows, from positions that start again: 0 1 2 0 1 0 gives 0 0 0 1 1 2.

    A document begins where the position is not that of the token before it plus 1, as in the attention of Hugging
    Face's models. The mask says what is padding; without one, padding of equal positions is documents of one token,
    which no loss takes.

    Raises
        ValueError: `position_ids` is not (batch, tokens).
    """
    if position_ids.ndim != 2:
        raise ValueError(f"position_ids must be (batch, tokens), got {tuple(position_ids.shape)}.")
    begins = position_ids.diff(dim=1) != 1
    return torch.nn.functional.pad(begins.long().cumsum(1), (1, 0))


def document_ids_from_lengths(cu_seq_lens: Tensor, tokens: int) -> Tensor:
    """The documents of one flattened row, from where they end as FlashAttention has it: 0 3 5 gives 0 0 0 1 1.

    cu_seq_lens
        Cumulated lengths, from 0 to `tokens`: `cu_seq_lens_q` of a batch of Hugging Face's padding-free collators.

    Raises
        ValueError: they do not go from 0 to `tokens`, or go down.
    """
    if cu_seq_lens.ndim != 1 or len(cu_seq_lens) < 2 or cu_seq_lens[0] != 0 or cu_seq_lens[-1] != tokens:
        raise ValueError(f"cu_seq_lens must go from 0 to the {tokens} tokens of the row, got {cu_seq_lens.tolist()}.")
    lengths = cu_seq_lens.diff()
    if (lengths < 0).any():
        raise ValueError(f"cu_seq_lens must not go down, got {cu_seq_lens.tolist()}.")
    return torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)[None]


def has_pairs(z: Tensor, mask: Tensor | None = None, document_ids: Tensor | None = None, least: int = 1) -> bool:
    """Whether `least` sequences, or documents, have two tokens that take part; without one every loss raises.

    `mean_direction`, and `dispersion` with the centre of the batch, need two.

    Raises
        ValueError: a mask or document numbers of another shape.
    """
    mask = visible(z, mask)
    if document_ids is not None:
        return int((found(z, mask, document_ids).lengths > 1).sum()) >= least
    if mask is None:
        return len(z) >= least and z.shape[1] > 1
    return int((mask.sum(1) > 1).sum()) >= least


def sequences(
    z: Tensor, mask: Tensor | None, document_ids: Tensor | None
) -> list[tuple[Tensor, Tensor | None]]:
    """The sequences in padded batches, and which of their tokens take part: z itself, or its documents."""
    mask = visible(z, mask)
    return [(z, mask)] if document_ids is None else list(_gathered(z, mask, document_ids))


def mean_over_documents(
    loss: Callable[..., Tensor], z: Tensor, mask: Tensor | None, document_ids: Tensor | None, **options
) -> Tensor:
    """The loss of z, or with `document_ids` its mean over the documents of two tokens or more.

    Raises
        ValueError: no such document.
    """
    if document_ids is None:
        return loss(z, mask=mask, **options)
    groups = sequences(z, mask, document_ids)
    if not groups:
        raise ValueError("No document has two tokens that take part. Give at least one of two tokens.")
    values = torch.stack([loss(rows, mask=mask, **options) for rows, mask in groups])
    share = values.new_tensor([len(rows) for rows, _ in groups])
    return (values * share).sum() / share.sum()


class Documents(NamedTuple):
    """The documents of a batch, one behind the other."""

    places: Tensor  # of the visible tokens among all of the batch, document after document
    starts: Tensor  # where in `places` a document begins
    lengths: Tensor


def found(z: Tensor, mask: Tensor | None, document_ids: Tensor) -> Documents:
    """Where the documents are, those of one token among them; `mask` as `visible` gives it."""
    if document_ids.shape != z.shape[:2] or document_ids.is_floating_point():
        raise ValueError(
            f"document_ids must be whole numbers, {tuple(z.shape[:2])} as the tokens of z, "
            f"got {tuple(document_ids.shape)} of {document_ids.dtype}."
        )
    mask = torch.ones_like(document_ids, dtype=torch.bool, device=z.device) if mask is None else mask
    ids, number = torch.unique(document_ids.to(mask.device), return_inverse=True)
    number = number + len(ids) * torch.arange(len(mask), device=mask.device)[:, None]  # another row, another document
    document, lengths = torch.unique(number[mask], return_inverse=True, return_counts=True)[1:]
    places = mask.flatten().nonzero()[:, 0][document.argsort(stable=True)]
    return Documents(places, lengths.cumsum(0) - lengths, lengths)


def _gathered(
    z: Tensor, mask: Tensor | None, document_ids: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """The documents of two tokens or more, those of about the same length together, and which places are theirs."""
    places, starts, lengths = found(z, mask, document_ids)
    size = torch.bucketize(lengths, _LENGTHS.to(lengths.device))
    for one in size[lengths > 1].unique():
        chosen = (size == one) & (lengths > 1)
        step = torch.arange(int(lengths[chosen].max()), device=z.device)
        inside = step < lengths[chosen, None]
        index = places[(starts[chosen, None] + step).where(inside, starts[chosen, None])]
        rows = z.flatten(0, 1).index_select(0, index.flatten())
        yield rows.view(*index.shape, -1), inside

MASSIVE = 10  # times the median norm of the batch: such tokens would rule a mean

def centred(
    z: Tensor, centre: Literal["batch"] | Tensor, mask: Tensor | None, document_ids: Tensor | None
) -> Tensor:
    """z - c in float32 at least; `centre` as in `dispersion`.

    Raises
        ValueError: another word; a tensor of another shape; "batch" with fewer than two sequences (documents).
    """
    mask = visible(z, mask)
    z = z if z.dtype == torch.float64 else z.float()
    if isinstance(centre, Tensor):
        if centre.shape != z.shape[-1:]:
            raise ValueError(f"centre must have the {z.shape[-1]} features of z, got {tuple(centre.shape)}.")
        return z - centre.detach().to(z)
    if centre != "batch":
        raise ValueError(f"centre must be 'batch', a tensor (features,) or None, got {centre!r}.")
    return z - mean_of_others(z.detach(), mask, document_ids)


def mean_of_others(
    z: Tensor, mask: Tensor | None, document_ids: Tensor | None
) -> Tensor:
    """For each token the mean over the tokens of the other sequences (documents) that take part; 0 for hidden ones.

    Tokens longer than `MASSIVE` times the median norm of the batch get a mean, and are in none.
    """
    rows = torch.zeros(z.shape[:2], dtype=torch.long, device=z.device) if document_ids is None else document_ids
    places, _, lengths = found(z, mask, rows)
    of = torch.arange(len(lengths), device=z.device).repeat_interleave(lengths)  # the sequence of each place
    places, of = places[lengths[of] > 1], of[lengths[of] > 1]
    if (count := int((lengths > 1).sum())) < 2:
        raise ValueError(
            f"centre='batch' is the mean of the other texts, and the batch has {count} of two tokens or more. Give two "
            "texts in a batch or more, or a running mean of your own as the tensor `centre`."
        )
    x = z.flatten(0, 1)[places]
    norm = torch.linalg.vector_norm(x, dim=-1)
    usual = (norm <= MASSIVE * norm.median()).to(x.dtype)
    sums = x.new_zeros(len(lengths), x.shape[1]).index_add(0, of, x * usual[:, None])
    n = x.new_zeros(len(lengths)).index_add(0, of, usual)
    others = (sums.sum(0) - sums) / (n.sum() - n).clamp_min(1)[:, None]
    return torch.zeros_like(z).flatten(0, 1).index_copy(0, places, others[of]).view_as(z)

ALONE, TOGETHER = 256, 512
Kernel = Callable[[Tensor], tuple[Tensor, Tensor]]  # inner products -> values and derivatives, both elementwise

def pair_sum(
    x: Tensor,
    kernel: Kernel,
    *,
    offset: Tensor | None = None,
    mask: Tensor | None = None,
    block: int | None = None,
) -> Tensor:
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

ORDERS = (1, 2)
NARROW = 1e-3  # a smaller spread of the cosines gives no difference of slopes above the rounding

def mean_over_pairs(
    z: Tensor, kernel: Kernel, order: int, *, eps: float, mask: Tensor | None = None
) -> Tensor:
    """For each sequence the mean of f over the cosines of its ordered pairs i != j, to first or second order.

    kernel
        Gives f and its slope, as in `pairs.pair_sum`; the slope may be straight-through there. It is asked at
        m +- s, which can lie outside [-1, 1].
    mask
        True for tokens that take part; z must be zero for the others (`batch.prepare`).

    The gradient is that of the sum over pairs in which the slope of f is a line over the cosine: at order 1 the slope
    at m, at order 2 the line through the slopes at m + s and m - s. A second derivative is not that of the mean.

    Raises
        ValueError: another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be 1 or 2, or None for all pairs, got {order}.")
    mean, square = _Moments.apply(z, counts(z, mask), eps, order)
    centre = mean.detach()
    if order == 1:
        value, slope = kernel(centre.clone())
        return _with_gradient(value, slope * mean)
    spread = (square.detach() - centre.square()).clamp_min(0).sqrt()
    value, slope = kernel(torch.stack([centre + spread, centre - spread]))
    curvature = (slope[0] - slope[1]) / (2 * spread.clamp_min(NARROW))
    return _with_gradient(value.mean(0), slope.mean(0) * mean + curvature * (square / 2 - centre * mean))


def _with_gradient(value: Tensor, surrogate: Tensor) -> Tensor:
    return value + (surrogate - surrogate.detach())


class _Moments(torch.autograd.Function):
    """Mean of the cosines of the pairs, and at order 2 the mean of their squares.

    The gradient is written out: through autograd the norms alone would cost more than the moments.
    """

    @staticmethod
    def forward(ctx, z, n, eps, order):
        with torch.autocast(z.device.type, enabled=False):
            norm = torch.linalg.vector_norm(z, dim=-1)
            scale, pairs = 1 / (norm + eps), (n * (n - 1)).clamp_min(1)
            total, length = scale[:, None] @ z, (norm * scale).square()  # the directions are not written out
            gram = None if order == 1 else gram_of(z * scale[..., None])
            mean = (total.square().sum((-2, -1)) - length.sum(-1)) / pairs
            square = mean.square() if gram is None else _off_diagonal(gram, length) / pairs
        ctx.save_for_backward(z, norm, scale, pairs, total, length, gram)
        return mean, square

    @staticmethod
    @once_differentiable
    def backward(ctx, on_mean, on_square):
        """With H_i the gradient at u_i, that at z_i is scale_i (H_i - <H_i, u_i> z_i / norm_i)."""
        with torch.autocast(on_mean.device.type, enabled=False):
            return _Moments._gradient(*ctx.saved_tensors, on_mean, on_square), None, None, None

    @staticmethod
    def _gradient(z, norm, scale, pairs, total, length, gram, on_mean, on_square):
        weight = (2 * on_mean / pairs)[:, None]
        push, itself = weight[..., None] * total, -weight  # H_i = push_i + itself_i u_i
        if gram is not None:
            twice = (4 * on_square / pairs)[:, None]
            u, itself = z * (twice * scale)[..., None], itself - twice * length
            push = push + (gram @ u if gram.shape[1] == u.shape[1] else u @ gram)
        radial = scale * (push * z).sum(-1) + itself * length
        inward = scale * (itself * scale - radial / norm.clamp_min(torch.finfo(norm.dtype).tiny))
        return torch.addcmul(inward[..., None] * z, scale[..., None], push)


def gram_of(x: Tensor) -> Tensor:
    """The smaller of the two Gram matrices, x x^T and x^T x. Their eigenvalues are the same but for zeros."""
    return _Gram.apply(x)


class _Gram(torch.autograd.Function):
    """With one product in the backward pass: autograd takes the two factors for different ones, and makes two."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x @ x.mT if x.shape[1] <= x.shape[2] else x.mT @ x

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        both = upstream + upstream.mT
        return both @ x if x.shape[1] <= x.shape[2] else x @ both


def _off_diagonal(gram: Tensor, diagonal: Tensor) -> Tensor:
    return gram.square().sum((-2, -1)) - diagonal.square().sum(-1)  # ||x x^T||_F = ||x^T x||_F

CLAMP = 0.1  # the released training script's; its class has 0.25
EPS = 1e-2  # added to norms by the released code

def dispersion(
    z: Tensor, *, mask: Tensor | None = None, document_ids: Tensor | None = None, subsample: int | None = None,
    generator: torch.Generator | None = None, temperature: float = 1.0, clamp: float = CLAMP, eps: float = EPS,
    acute: bool = False, order: int | None = None, centre: Literal["batch"] | Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log mean_{i != j} exp(-D_ij / temperature), with the angular distance D_ij = arccos(cos(z_i, z_j)) / pi.

    Low when the tokens point apart. Range: between -(1 - arccos(1 - clamp) / pi) / temperature and
    -arccos(1 - clamp) / (pi temperature). The paper's formula has the sum in place of the mean, log(N (N - 1)) more.
    The diagonal is excluded.

    clamp
        The cosine is cut to [-1 + clamp, 1 - clamp] before the arccos. The gradient is straight-through: outside the
        band it is that at the band's edge, so that tokens that coincide in direction are still pushed apart.
    eps
        Vectors are divided by (norm + eps).
    acute
        Only pairs at an acute angle are pushed: the cosine is cut to [clamp, 1 - clamp], without a gradient outside of
        it, as in one commit of the released pre-training code. Tokens that coincide are not pushed either.
    order
        `None`: all pairs. 1: their mean cosine, O(N d). 2: and its variance, O(N d^2). See `expansion`.
    centre
        The cosines are those of z - c, so that what the texts share is not pushed, but only what the tokens of a text
        share beyond it. "batch": c is the mean over the tokens of the other sequences (documents) that take part. Their
        own would take away what is to be pushed. Of few others c still holds some of what is theirs alone: about one
        part in their number. Tokens longer than 10 times the median norm of the batch are left out
        of c, which they would rule: the first token of a trained model is often a hundred times as long as the others.
        A tensor (features,): a running mean that the caller keeps. No gradient goes through c: it would move the
        tokens of other texts to where these look spread. `mean_direction` is the loss of what is left out here.

    Raises
        ValueError: `centre="batch"` with one sequence (document); a centre of another shape; `acute` with a clamp of
            1/2 or more, which leaves no cosine; and as all losses.

    Source: Table 1 and Section 4 of the paper; mean, clamp and eps as in the released code; `centre` is this library's.
    """
    check_options(temperature=temperature, clamp=clamp, eps=eps)
    if acute and clamp >= 0.5:
        raise ValueError(f"acute leaves the cosines from clamp to 1 - clamp: clamp must be below 0.5, got {clamp}.")
    z = z if centre is None else centred(z, centre, mask, document_ids)
    how = {"subsample": subsample, "generator": generator, "eps": eps, "order": order}
    kernel = partial(_acute_kernel if acute else _dispersion_kernel, temperature, clamp)
    return mean_over_documents(_dispersion, z, mask, document_ids, kernel=kernel, **how)


def _dispersion(
    z: Tensor, *, mask: Tensor | None, subsample: int | None, generator: torch.Generator | None, eps: float,
    order: int | None, kernel: Kernel,
) -> Tensor:  # fmt: skip
    z, mask = prepare(z, mask, subsample, generator)
    if order is not None:
        mean = mean_over_pairs(z, kernel, order, eps=eps, mask=mask)
        return mean_over_sequences(lambda s, n: s.log(), mean, z, mask)
    total = pair_sum(directions(z, eps), kernel, mask=mask)
    return mean_over_sequences(lambda s, n: (s / (n * (n - 1))).log(), total, z, mask)


def _dispersion_kernel(temperature: float, clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    return _falling(cosine.clamp_(clamp - 1, 1 - clamp), temperature)


def _acute_kernel(temperature: float, clamp: float, cosine: Tensor) -> tuple[Tensor, Tensor]:
    inside = (cosine >= clamp) & (cosine <= 1 - clamp)
    value, slope = _falling(cosine.clamp_(clamp, 1 - clamp), temperature)
    return value, slope.mul_(inside)


def _falling(c: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """exp(-arccos(c) / (pi temperature)) and its slope; c, whose place they take, inside of (-1, 1)."""
    value = c.acos().mul_(-1 / (math.pi * temperature)).exp_()  # e^-50 at the lowest temperature: float32 has it
    return value, _slope_of_arccos(c, math.pi * temperature).mul_(value)


def _slope_of_arccos(c: Tensor, scale: float) -> Tensor:
    """1 / (scale sqrt(1 - c^2)), in two passes over c, whose place it takes."""
    return torch.addcmul(c.new_full((), scale**2), c, c, value=-(scale**2), out=c).rsqrt_()

PAPER_EPS = 1e-3  # the official code divides by max(norm, 1e-3)

class MeanCosine(NamedTuple):
    """The mean cosine of one sequence, over two sets of pairs."""

    all_pairs: Tensor  # all N^2 ordered pairs, diagonal included: the paper's mu
    off_diagonal: Tensor  # the N(N-1) pairs of two different tokens


def without_autocast(function: Callable) -> Callable:
    """The function with autocast off on the device of its tensors: it would round cosines to 16 bits."""

    @wraps(function)
    def run(*args, **kwargs):
        device = next(a.device.type for a in (*args, *kwargs.values()) if isinstance(a, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return run


@without_autocast
def mean_cosine(z: Tensor, eps: float = PAPER_EPS) -> MeanCosine:
    """Mean cosine similarity of the tokens of a sequence, in O(N d): no N x N matrix is made.

    With unit vectors u_i the sum over all ordered pairs of <u_i, u_j> is ||sum_i u_i||^2, so

        all_pairs    = ||sum_i u_i||^2 / N^2                                (mu of the paper, Section 3)
        off_diagonal = (||sum_i u_i||^2 - sum_i ||u_i||^2) / (N (N - 1))

    Range: all_pairs in [0, 1], off_diagonal in [-1/(N-1), 1]. A zero vector has cosine 0 to everything, itself
    included. Padding must be cut off before; every row given takes part.

    Raises
        ValueError: fewer than two tokens, for which a cosine between tokens does not exist.
    """
    n = z.shape[-2]
    if n < 2:
        raise ValueError(f"A mean cosine needs at least 2 tokens, got {n}. Give a longer text.")
    z = z if z.dtype == torch.float64 else z.float()
    exact = torch.float32 if z.device.type == "mps" else torch.float64  # MPS has no float64
    norm = torch.linalg.vector_norm(z, dim=-1)
    scale = 1 / norm.clamp_min(eps)
    total = (scale[..., None, :] @ z)[..., 0, :].to(exact).square().sum(-1)  # the directions are not written out
    diagonal = (norm * scale).to(exact).square().sum(-1)
    return MeanCosine(total / n**2, (total - diagonal) / (n * (n - 1)))


@contextmanager
def residual_stream(
    blocks: nn.ModuleList | Sequence[nn.Module],
    norm: nn.Module | None = None,
    reduce: Callable[[int, Tensor], Any] | None = None,
) -> Iterator[dict[int, Any]]:
    """The residual stream of the forward pass inside the context: entry l -> hidden states (batch, tokens, features).

    Entry 0 is the input of the first of the L blocks, entry l the input of block l + 1, and entry L the output of
    `norm`, the final norm, or without one that of the last block. With `reduce` the dictionary holds
    `reduce(entry, hidden)` in place of the hidden states.

    Raises
        RuntimeError: when the context closes, an entry did not arrive, as from a model that was compiled before.
    """
    found: dict[int, Any] = {}

    def keep(entry: int, hidden: Tensor) -> None:
        found[entry] = hidden if reduce is None else reduce(entry, hidden)

    def on_input(entry: int) -> Callable[..., None]:
        return lambda _module, args, kwargs: keep(entry, args[0] if args else kwargs["hidden_states"])

    def on_output(_module, _args, output) -> None:
        keep(len(blocks), output[0] if isinstance(output, tuple) else output)

    last = blocks[-1] if norm is None else norm
    handles = [block.register_forward_pre_hook(on_input(i), with_kwargs=True) for i, block in enumerate(blocks)]
    handles.append(last.register_forward_hook(on_output))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    if len(found) <= len(blocks):
        raise RuntimeError(
            f"{len(found)} of {len(blocks) + 1} entries arrived. Run a forward pass of these very blocks inside the "
            "context, of a model that was not compiled before."
        )
