"""Which tokens of a forward pass take part in a loss, and of which document each is: by what the model was given."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .. import losses
from ..hooks import CACHES, Pass


class Tokens(NamedTuple):
    """The mask of a pass (`None`: all tokens) and the documents of its tokens (`None`: a row is one), as losses do."""

    mask: Bool[Tensor, "batch tokens"] | None
    document_ids: Int[Tensor, "batch tokens"] | None


def tokens_of(seen: Pass, document_ids: Tensor | None = None, virtual: int = 0) -> Tokens:
    """Mask and documents of a pass, from the arguments that its backbone had.

    The mask is its `attention_mask`. Documents are `document_ids` where given, else from where FlashAttention has
    their ends (`cu_seq_lens_q`), else from `position_ids` that start again; a row without such a start is one document.

    virtual
        The tokens that PEFT's prompt learning puts before each row (`hooks.virtual_tokens`): they take no part.

    Raises
        ValueError: an attention mask that is not (batch, tokens), from which neither can be read.
    """
    hidden = next(iter(seen.entries.values()))
    shape = hidden.shape[:2]
    mask = _mask(seen.given.get("attention_mask"), shape, hidden.device)
    if document_ids is None and mask is not None and mask.dtype != torch.bool and mask.max() > 1:
        document_ids = mask.long()  # a mask that numbers the documents of each row from 1
    mask = None if mask is None else mask.bool()
    own = shape[1] - (virtual if _holds_virtual(seen.given, shape, virtual) else 0)
    if own < shape[1]:
        mask = torch.ones(shape, dtype=torch.bool, device=hidden.device) if mask is None else mask.clone()
        mask[:, : shape[1] - own] = False
    return Tokens(mask, _documents(seen.given, mask, shape, document_ids))


def _mask(given: object, shape: torch.Size, device: torch.device) -> Tensor | None:
    if given is None:
        return None
    if not isinstance(given, Tensor) or given.ndim != 2:
        what = f"of shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"that is a {type(given).__name__}"
        raise ValueError(
            f"The model has an attention mask {what}: which tokens are padding, and where documents end, cannot be "
            "read from it. Give a mask (batch, tokens), and position_ids that start again where a document begins."
        )
    return given[:, -shape[1] :].to(device)  # a prefix in the cache has a place in the mask, but no state


def _holds_virtual(given: dict, shape: torch.Size, virtual: int) -> bool:
    """Whether the states hold the virtual tokens, which come as embeddings; a prefix is in the cache instead."""
    in_cache = any(given.get(name) is not None for name in CACHES)
    return given.get("inputs_embeds") is not None and not in_cache and 0 < virtual < shape[1]


def _documents(given: dict, mask: Tensor | None, shape: torch.Size, document_ids: Tensor | None) -> Tensor | None:
    ends, positions = given.get("cu_seq_lens_q"), given.get("position_ids")
    if document_ids is not None:
        return torch.nn.functional.pad(document_ids, (shape[1] - document_ids.shape[1], 0))  # virtual tokens are hidden
    if isinstance(ends, Tensor) and shape[0] == 1:
        return losses.document_ids_from_lengths(ends, shape[1])
    if not isinstance(positions, Tensor) or positions.shape[-1] != shape[1]:
        return None
    if positions.ndim == 3:  # M-RoPE: of four axes the first is that of plain text
        begins = _restarts(positions[0], mask) if len(positions) == 4 else _falls(positions[0])
    else:
        begins = _restarts(positions.expand(shape), mask)
    return begins.cumsum(1) if begins.any() else None  # one document a row: the losses need not separate any


def _restarts(positions: Int[Tensor, "batch tokens"], mask: Tensor | None) -> Bool[Tensor, "batch tokens"]:
    """Where a document begins behind another: the position does not go on from that of the visible token before.

    Tokens that are hidden in between may have counted or not: it goes on by 1 at least, by their distance at most.
    """
    place = torch.arange(positions.shape[1], device=positions.device).expand_as(positions)
    visible = torch.ones_like(positions, dtype=torch.bool) if mask is None else mask
    before = torch.nn.functional.pad(place.where(visible, -1).cummax(1).values[:, :-1], (1, 0), value=-1)
    step = positions - positions.gather(1, before.clamp(min=0))
    return visible & (before >= 0) & ~((step >= 1) & (step <= place - before))


def _falls(time: Int[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
    """Where time, which stays where it is within an image, goes down."""
    return torch.nn.functional.pad(time.diff(dim=1) < 0, (1, 0))
