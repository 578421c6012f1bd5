"""The dispersion loss, its alternatives of Table 1, the losses of Wang & He they come from, and one between texts.

    from decondense import losses
    loss = language_loss + 0.1 * losses.dispersion(hidden)      # hidden: (batch, tokens, features)

Each loss is a function of the hidden states z of one layer. It is taken of each sequence on its own and averaged over
the sequences. Two losses look at several texts, and push one part each of what condenses a text:

    losses.mean_direction(hidden)                  # what the texts of the batch share, and nothing else
    losses.dispersion(hidden, centre="batch")      # what the tokens of a text share beyond that

Common to all:

mask
    (batch, tokens), True (or 1) for tokens that take part, as Hugging Face's `attention_mask`. A sequence with fewer
    than two of them has no pair and is left out of the average.
document_ids
    (batch, tokens), for packed rows: the tokens of a row with the same number are one document. Each document is then
    a sequence of its own, as if it had a row of its own, and the average is over the documents of two tokens or
    more. `document_ids` and `document_ids_from_lengths` make the numbers from `position_ids` and `cu_seq_lens`.
subsample, generator
    Take that many positions of each sequence at random (all, if it has fewer), anew at every call. The released code
    of the paper takes 256. `None`: every token. `generator` makes the draw repeatable; without one the global random
    state decides.

All reductions run in float32, or in float64 for float64 input, under autocast as well. Value and gradient are finite
for identical tokens, antipodes and zero vectors. NaN in z gives NaN.

Warns (the losses of distances, and `wang_he_cosine` at a low temperature)
    UserWarning: the loss is flat on these tokens. Squared distances of tokens in d dimensions are about 2 d times their
        variance; at the usual temperature or margin of 1 nothing of them is left in float32, and the gradient is 0.

Raises (all of them)
    ValueError: z has fewer than two tokens, or the mask leaves no sequence (document) two; a mask or document numbers
        of another shape; an option out of its range; one sequence (document), for the two losses that look at several.
        `has_pairs` tells the first in advance.
"""

import inspect
from collections.abc import Callable
from functools import partial

import torch

from ..base.errors import unknown
from .batch import LOWEST_TEMPERATURE, Hidden, Mask, Scalar
from .between import mean_direction
from .covariance import decorrelation, decorrelation_tokens, wang_he_covariance
from .documents import DocumentIds, document_ids, document_ids_from_lengths, has_pairs
from .repulsion import CLAMP, EPS, dispersion, l2_repel, orthogonalization, wang_he_cosine, wang_he_hinge, wang_he_l2

__all__ = [
    "CLAMP",
    "EPS",
    "LOSSES",
    "LOWEST_TEMPERATURE",
    "Loss",
    "decorrelation",
    "decorrelation_tokens",
    "dispersion",
    "document_ids",
    "document_ids_from_lengths",
    "get",
    "has_pairs",
    "l2_repel",
    "least_texts",
    "mean_direction",
    "names",
    "orthogonalization",
    "wang_he_cosine",
    "wang_he_covariance",
    "wang_he_hinge",
    "wang_he_l2",
]

LOSSES: dict[str, Callable[..., Scalar]] = {
    f.__name__: f
    for f in (
        dispersion, decorrelation, decorrelation_tokens, l2_repel, orthogonalization,
        wang_he_l2, wang_he_cosine, wang_he_hinge, wang_he_covariance, mean_direction,
    )
}  # fmt: skip

_GIVEN_BY_THE_BATCH = ("z", "mask", "document_ids")


def names() -> list[str]:
    """The names that `get` knows: Table 1 first, then Wang & He's, then this library's own."""
    return list(LOSSES)


def get(name: str, **options) -> Callable[..., Scalar]:
    """The loss `name` with some of its options set: `losses.get("dispersion", temperature=0.5)(z, mask=mask)`.

    Raises
        ValueError: unknown loss, or an option that this loss does not have.
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    known = [option for option in inspect.signature(LOSSES[name]).parameters if option not in _GIVEN_BY_THE_BATCH]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    return partial(LOSSES[name], **options)


def least_texts(name: str | None, centre: object = None, **_) -> int:
    """How many texts of two tokens a batch must have for a loss with these options: 2 where it looks at several."""
    return 2 if name == "mean_direction" or isinstance(centre, str) else 1


class Loss(torch.nn.Module):
    """A loss as a module: `Loss("dispersion", temperature=0.5)(z, mask, document_ids)`. Has no parameters."""

    def __init__(self, name: str = "dispersion", **options):
        super().__init__()
        self.name, self.options = name, options
        self._loss = get(name, **options)

    def forward(self, z: Hidden, mask: Mask | None = None, document_ids: DocumentIds | None = None) -> Scalar:
        return self._loss(z, mask=mask, document_ids=document_ids)

    def extra_repr(self) -> str:
        return ", ".join([repr(self.name), *(f"{k}={v!r}" for k, v in self.options.items())])
