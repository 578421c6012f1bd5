"""Rows that hold several documents, packed one behind the other: each document is a sequence of its own to a loss.

Tokens are of one document where they have the same number in the same row, so a number that comes back later in the
row (A B A) goes on with its document, and the same number in two rows is two documents.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .batch import Hidden, Mask, Scalar, visible

DocumentIds = Int[Tensor, "batch tokens"]

_LENGTHS = 2 ** torch.arange(1, 40)  # documents of up to 2, 4, 8, ... tokens are padded to the longest of them
_Loss = TypeVar("_Loss", bound=Callable[..., Scalar])


def document_ids(position_ids: Int[Tensor, "batch tokens"]) -> DocumentIds:
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


def document_ids_from_lengths(cu_seq_lens: Int[Tensor, "ends"], tokens: int) -> Int[Tensor, "1 tokens"]:
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


def has_pairs(z: Hidden, mask: Mask | None = None, document_ids: DocumentIds | None = None, least: int = 1) -> bool:
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
) -> list[tuple[Float[Tensor, "sequences length features"], Bool[Tensor, "sequences length"] | None]]:
    """The sequences in padded batches, and which of their tokens take part: z itself, or its documents."""
    mask = visible(z, mask)
    return [(z, mask)] if document_ids is None else list(_gathered(z, mask, document_ids))


def by_document(loss: _Loss) -> _Loss:
    """The loss with the keyword `document_ids`: with it the mean of the loss over the documents, each on its own.

    Documents of about the same length are gathered into one padded batch, so memory is O(N d) for N tokens however
    their lengths differ. `loss` has the keyword for its signature only: it is never given it.
    """

    @wraps(loss)
    def over_documents(
        z: Hidden, *, mask: Mask | None = None, document_ids: DocumentIds | None = None, **options
    ) -> Scalar:
        return mean_over_documents(loss, z, mask, document_ids, **options)

    return over_documents


def mean_over_documents(
    loss: Callable[..., Scalar], z: Tensor, mask: Tensor | None, document_ids: Tensor | None, **options
) -> Scalar:
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

    places: Int[Tensor, "visible"]  # of the visible tokens among all of the batch, document after document
    starts: Int[Tensor, "documents"]  # where in `places` a document begins
    lengths: Int[Tensor, "documents"]


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
    z: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"] | None, document_ids: Tensor
) -> Iterator[tuple[Float[Tensor, "documents length features"], Bool[Tensor, "documents length"]]]:
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
