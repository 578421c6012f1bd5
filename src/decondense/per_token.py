"""`token_cosines(model, tokenizer, texts)`: which tokens lie furthest in the cone, and which furthest out of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from . import metrics
from .forward import forward_passes
from .hooks import n_entries, residual_stream
from .token_ids import token_ids


class TokenCosines(NamedTuple):
    """One text: the cosine of each token to the mean direction of the text, at some entries of the residual stream.

    special
        Tokens that the tokenizer calls special, such as the beginning of the text: often far out of the cone.
    """

    tokens: list[str]
    ids: Int[np.ndarray, "tokens"]
    special: Bool[np.ndarray, "tokens"]
    entries: tuple[int, ...]
    cosines: Float[np.ndarray, "entries tokens"]


class Pooled(NamedTuple):
    """A token over all texts: how often it is there, and the mean of its cosines."""

    token: str
    count: int
    cosine: float
    special: bool


def token_cosines(
    model: torch.nn.Module,
    tokenizer,
    texts: Sequence[str | Sequence[int] | Sequence[Mapping]],
    *,
    entries: Sequence[int] | None = None,
    max_length: int = 512,
    eps: float = metrics.PAPER_EPS,
) -> list[TokenCosines]:
    """Cosine of each token to the mean direction of its text, as `metrics.cosine_to_mean`, at chosen entries.

        c_i = <u_i, m> / ||m||,   m = 1/N sum_j u_j,   u_i = z_i / max(||z_i||, eps)

    The mean of c_i over a text is sqrt(mu) of that entry: a token above it lies further in the cone than most, one
    below further out. Each text goes through the model by itself.

    texts, max_length, eps
        As in `measure`, chats included. Without a tokenizer a token is named by its id, and none is special.
    entries
        l = 0..L of the residual stream (see `decondense.hooks`), negative ones from the end; without them the first,
        the middle (L // 2) and the last.

    Raises
        ValueError: an entry that the model does not have. What `measure` raises for models and texts.
    """
    sequences = token_ids(model, tokenizer, texts, max_length)
    depth = n_entries(model)
    wanted = (0, (depth - 1) // 2, depth - 1) if entries is None else tuple(entries)
    if outside := [entry for entry in wanted if not -depth <= entry < depth]:
        raise ValueError(f"The model has the entries 0 to {depth - 1}, not {outside[0]}.")
    wanted = tuple(entry % depth for entry in wanted)
    found = []

    def reduce(entry: int, hidden: torch.Tensor) -> torch.Tensor | None:
        return metrics.cosine_to_mean(hidden[0], eps) if entry in wanted else None

    with forward_passes(model) as run, residual_stream(model, reduce) as cosines:
        for ids in sequences:
            run(input_ids=ids[None])
            found.append(_of_text(tokenizer, ids, wanted, torch.stack([cosines[entry].cpu() for entry in wanted])))
    return found


def _of_text(tokenizer, ids: torch.Tensor, entries: tuple[int, ...], cosines: torch.Tensor) -> TokenCosines:
    special = [] if tokenizer is None else tokenizer.all_special_ids
    tokens = [str(i) if tokenizer is None else tokenizer.decode([i]) for i in ids.tolist()]
    return TokenCosines(tokens, ids.numpy(), np.isin(ids.numpy(), special), entries, cosines.float().numpy())


def pooled(found: Sequence[TokenCosines]) -> list[Pooled]:
    """The tokens of all texts by their string, with the mean of their cosines at the last entry that was asked for.

    From the lowest cosine, furthest out of the cone, to the highest; of equal ones in the order of the strings.
    """
    cosines: dict[str, list[float]] = {}
    special: set[str] = set()
    for text in found:
        for token, cosine, is_special in zip(text.tokens, text.cosines[-1].tolist(), text.special, strict=True):
            cosines.setdefault(token, []).append(cosine)
            special |= {token} if is_special else set()
    means = [Pooled(token, len(all_), float(np.mean(all_)), token in special) for token, all_ in cosines.items()]
    return sorted(means, key=lambda token: (token.cosine, token.token))
