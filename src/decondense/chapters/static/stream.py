"""The entries of a language model under the cures, and its loss when the shared mean is taken off at one of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ... import hooks, metrics
from ...controls.reference import MASSIVE
from .rows import CURES, ordinary


def entries(
    model: nn.Module, windows: Int[Tensor, "windows tokens"]
) -> dict[int, list[Float[Tensor, "some features"]]]:
    """The ordinary tokens of each window (`ordinary`) at each entry of the residual stream, in float32."""
    found: dict[int, list] = {}
    with torch.inference_mode(), hooks.residual_stream(model, lambda _, hidden: ordinary(hidden[0]).float().cpu()) as s:
        for window in windows:
            hooks.backbone(model)(window[None].to(model.device))
            for entry, z in s.items():
                found.setdefault(entry, []).append(z)
    return found


def under_cures(fitted: Sequence[Tensor], others: Sequence[Tensor]) -> list[dict]:
    """Each cure fitted on the tokens of `fitted`, and what it leaves of each of `others`: one row a cure and window.

    `mu` is the mean cosine of two different tokens, `rank` the effective rank of the window's tokens.
    """
    rows, together = [], torch.cat(list(fitted))
    for name, fit in CURES.items():
        cure = fit(together)
        for number, z in enumerate(map(cure, others)):
            mu, rank = float(metrics.mean_cosine(z).off_diagonal), metrics.effective_rank(z)
            rows.append({"cure": name, "window": number, "mu": mu, "rank": rank})
    return rows


@contextmanager
def shifted(model: nn.Module, entry: int, shift: Float[Tensor, "features"]) -> Iterator[None]:
    """Add `shift` to the ordinary tokens at an entry 0..L-1 of the residual stream, for what follows from there on."""

    def add(_, args, kwargs):
        hidden = args[0] if args else kwargs["hidden_states"]
        norm = hidden.float().norm(dim=-1, keepdim=True)
        moved = hidden + (norm <= MASSIVE * norm.median(dim=1, keepdim=True).values) * shift.to(hidden)
        return ((moved, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": moved})

    handle = hooks.blocks(model)[entry].register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def losses(
    model: nn.Module, windows: Int[Tensor, "windows tokens"], entry: int, mean: Float[Tensor, "features"], seed: int = 0
) -> list[dict]:
    """Next-token loss of each window in nats: as the model is, without `mean` at an entry, and with a random vector.

    The random vector has the length of `mean` and a direction that is drawn anew for each window.
    """
    generator, rows = torch.Generator().manual_seed(seed), []
    for number, window in enumerate(windows):
        direction = torch.nn.functional.normalize(torch.randn(len(mean), generator=generator), dim=0)
        shifts = {"as it is": 0 * mean, "without the mean": -mean, "random vector": direction * mean.norm()}
        for name, shift in shifts.items():
            with torch.inference_mode(), shifted(model, entry, shift):
                ids = window[None].to(model.device)
                rows.append({"window": number, "change": name, "loss": float(model(input_ids=ids, labels=ids).loss)})
    return rows
