"""Hidden states without what the texts share, so that a loss of angles pushes only what is each text's own."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .batch import visible
from .documents import found

MASSIVE = 10  # times the median norm of the batch: such tokens would rule a mean


def centred(
    z: Tensor, centre: Literal["batch"] | Tensor, mask: Tensor | None, document_ids: Tensor | None
) -> Float[Tensor, "batch tokens features"]:
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
    z: Float[Tensor, "batch tokens features"], mask: Tensor | None, document_ids: Tensor | None
) -> Float[Tensor, "batch tokens features"]:
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
