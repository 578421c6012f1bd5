"""Which tokens of a forward pass take part in a loss, and of which document each is: by what the model was given."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .. import losses
from ..hooks import Pass


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
    return given[:, -shape[1] :].to(device, torch.bool)  # a prefix in the cache has a place in the mask, but no state


def _holds_virtual(given: dict, shape: torch.Size, virtual: int) -> bool:
    """Whether the states hold the virtual tokens: PEFT's prefix tuning puts them into the cache instead."""
    return bool(virtual) and given.get("past_key_values") is None and shape[1] > virtual


def _documents(given: dict, mask: Tensor | None, shape: torch.Size, document_ids: Tensor | None) -> Tensor | None:
    ends, positions = given.get("cu_seq_lens_q"), given.get("position_ids")
    if document_ids is not None:
        return torch.nn.functional.pad(document_ids, (shape[1] - document_ids.shape[1], 0))  # virtual tokens are hidden
    if isinstance(ends, Tensor) and shape[0] == 1:
        return losses.document_ids_from_lengths(ends, shape[1])
    if not isinstance(positions, Tensor) or positions.shape[-1] != shape[1]:
        return None
    found = (_of_axes(positions) if positions.ndim == 3 else losses.document_ids(positions)).expand(shape)
    inner = found.diff(dim=1) != 0
    inner = inner if mask is None else inner & mask[:, 1:] & mask[:, :-1]
    return found if inner.any() else None  # one document a row: the losses need not take them apart


def _of_axes(positions: Int[Tensor, "axes rows tokens"]) -> Int[Tensor, "rows tokens"]:
    """The documents by positions with several axes (M-RoPE): of four the first is that of plain text; of three it is
    time, which stays where it is within an image, and goes down only where a document begins.
    """
    if len(positions) == 4:
        return losses.document_ids(positions[0])
    return torch.nn.functional.pad((positions[0].diff(dim=1) < 0).long().cumsum(1), (1, 0))
