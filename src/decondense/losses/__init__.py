"""The dispersion loss, its alternatives of Table 1, the losses of Wang & He behind them, and others against collapse.

    from decondense import losses
    loss = language_loss + 0.1 * losses.dispersion(hidden)      # hidden: (batch, tokens, features)
    losses.get("sigreg", slices=512)(hidden)                    # by name, with options
    losses.combined({"dispersion": 0.1, "koleo": 0.02})(hidden) # several at once

Each loss is a function of the hidden states z of one layer. Most are taken of each sequence on its own and averaged
over the sequences. These are not:

    mean_direction, dispersion(centre="batch")       between the sequences of a batch: what they share, what not
    variance, covariance, vicreg, sigreg, isoscore   of the tokens of the whole batch together (`losses.pooled`)
    info_nce, barlow                                 of two views of the same tokens, `views` (`losses.views`)

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
        of another shape; an option out of its range; one sequence (document), for the losses that look at several
        (`least_texts`). `has_pairs` tells the first in advance.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial

import torch

from ..base.errors import unknown
from .batch import LOWEST_TEMPERATURE, Hidden, Mask, Scalar
from .between import mean_direction
from .cosines import cosine, hyperspherical_energy, koleo, simctg, uniformity
from .covariance import decorrelation, decorrelation_tokens, wang_he_covariance
from .documents import DocumentIds, document_ids, document_ids_from_lengths, has_pairs
from .normality import sigreg
from .pooled import covariance, variance, vicreg
from .repulsion import CLAMP, EPS, dispersion, l2_repel, orthogonalization, wang_he_cosine, wang_he_hinge, wang_he_l2
from .spectrum import isoscore, log_det, rank_floor
from .views import barlow, info_nce

__all__ = [
    "CLAMP",
    "EPS",
    "LOSSES",
    "LOWEST_TEMPERATURE",
    "Loss",
    "barlow",
    "combined",
    "cosine",
    "covariance",
    "decorrelation",
    "decorrelation_tokens",
    "dispersion",
    "document_ids",
    "document_ids_from_lengths",
    "get",
    "has_pairs",
    "hyperspherical_energy",
    "info_nce",
    "isoscore",
    "koleo",
    "l2_repel",
    "least_texts",
    "log_det",
    "mean_direction",
    "names",
    "needs_views",
    "orthogonalization",
    "rank_floor",
    "sigreg",
    "simctg",
    "trial",
    "uniformity",
    "variance",
    "vicreg",
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
        cosine, uniformity, koleo, hyperspherical_energy, simctg, variance, covariance, vicreg, sigreg, isoscore,
        log_det, rank_floor, info_nce, barlow,
    )
}  # fmt: skip

_GIVEN_BY_THE_BATCH = ("z", "views", "mask", "document_ids")
_OF_SEVERAL_TEXTS = ("mean_direction", "variance", "covariance", "vicreg")


def names() -> list[str]:
    """The names that `get` knows: Table 1 first, then Wang & He's, this library's own, and those of other sources."""
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


def combined(weights: Mapping[str, float]) -> Callable[..., Scalar]:
    """The sum of several losses, each times its weight: `losses.combined({"dispersion": 0.1, "koleo": 0.02})`.

    Raises
        ValueError: no loss, an unknown one, or a weight that is not positive.
    """
    if not weights:
        raise ValueError("No loss given. Give one or more, such as {'dispersion': 0.1}.")
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise ValueError(f"The weight of {name} must be above 0, got {weight!r}.")
    return partial(_weighted_sum, parts=[(float(weight), get(name)) for name, weight in weights.items()])


def _weighted_sum(z: Hidden, *, parts, views: Hidden | None = None, **how) -> Scalar:
    given = lambda loss: {"views": views} if needs_views(loss) else {}
    return torch.stack([weight * loss(z, **given(loss), **how) for weight, loss in parts]).sum()


def _parts(loss: Callable[..., Scalar] | None) -> list[Callable[..., Scalar]]:
    if loss is None:
        return []
    held = getattr(loss, "keywords", {}).get("parts")
    return [part for _, part in held] if held else [loss]


def needs_views(loss: Callable[..., Scalar] | None) -> bool:
    """Whether a loss takes `views`, the states of another pass over the same tokens."""
    asks = lambda part: "views" in inspect.signature(part).parameters
    return any(asks(part) for part in _parts(loss))


def least_texts(loss: Callable[..., Scalar] | None) -> int:
    """How many texts of two tokens a batch must have for a loss as `get` or `combined` gives it."""

    def several(part) -> bool:
        name, options = getattr(getattr(part, "func", part), "__name__", ""), getattr(part, "keywords", {})
        return name in _OF_SEVERAL_TEXTS or isinstance(options.get("centre"), str)

    return 2 if any(several(part) for part in _parts(loss)) else 1


def trial(loss: Callable[..., Scalar], subsample: int | None = None, texts: int = 2) -> None:
    """Take the loss of a few tokens, so that an option out of its range is refused before any training.

    Raises
        ValueError: as the loss.
    """
    z = torch.linspace(-1, 1, texts * 16 * 4).sin().view(texts, 16, 4)
    draw = torch.Generator().manual_seed(0)  # the global random state stays as it is
    loss(z, subsample=subsample, generator=draw, **({"views": z.cos()} if needs_views(loss) else {}))


class Loss(torch.nn.Module):
    """A loss as a module: `Loss("dispersion", temperature=0.5)(z, mask, document_ids)`. Has no parameters."""

    def __init__(self, name: str = "dispersion", **options):
        super().__init__()
        self.name, self.options = name, options
        self._loss = get(name, **options)

    def forward(
        self, z: Hidden, mask: Mask | None = None, document_ids: DocumentIds | None = None, views: Hidden | None = None
    ) -> Scalar:
        given = {} if views is None else {"views": views}
        return self._loss(z, mask=mask, document_ids=document_ids, **given)

    def extra_repr(self) -> str:
        return ", ".join([repr(self.name), *(f"{k}={v!r}" for k, v in self.options.items())])
