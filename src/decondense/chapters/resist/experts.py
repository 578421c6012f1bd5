"""Whether the tokens that one expert of a mixture sees are more alike than all tokens are."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ... import hooks


@torch.no_grad()
def alike(model: nn.Module, rows: Int[Tensor, "rows tokens"]) -> dict[str, list[float]]:
    """Mean cosine of the tokens that an expert sees, and of all, in each block of a mixture of experts (OLMoE).

    In the results, a value per block: `all`, over all pairs of different tokens of all rows together; `expert`, over
    the pairs that one expert sees, the mean over the experts, weighted by their tokens; `largest`, the share of the
    tokens that the busiest expert sees. The vectors are those that the router and the experts are given, after the
    norm. Both means leave out the pair of a token with itself, so that neither depends on how many tokens there are.
    An expert that sees fewer than two tokens has no pair.

    Raises
        ValueError: a model without a router.
    """
    with _routed(model) as seen:
        model(input_ids=rows)
    found = [of_experts(hidden, chosen) for hidden, chosen in seen]
    return {name: [each[name] for each in found] for name in ("all", "expert", "largest")}


def of_experts(hidden: Float[Tensor, "tokens features"], chosen: Int[Tensor, "tokens k"]) -> dict[str, float]:
    """`alike` of one block: the vectors, and the numbers of the experts that each token goes to."""
    units = torch.nn.functional.normalize(hidden.double(), dim=-1)
    means, sizes = [], []
    for expert in chosen.unique().tolist():
        own = units[(chosen == expert).any(1)]
        sizes.append(len(own))
        means.append(_off_diagonal(own) if len(own) > 1 else 0.0)
    weights = torch.tensor(sizes, dtype=torch.float64)
    counted = torch.where(weights > 1, weights, 0.0)
    expert = float((counted * torch.tensor(means, dtype=torch.float64)).sum() / counted.sum())
    return {"all": _off_diagonal(units), "expert": expert, "largest": float(weights.max() / len(units))}


def _off_diagonal(units: Float[Tensor, "tokens features"]) -> float:
    n = len(units)
    return float((units.sum(0).square().sum() - units.square().sum()) / (n * (n - 1)))


@contextmanager
def _routed(model: nn.Module) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """What each block's router is given and where it sends it, in the order of the blocks."""
    routers = [getattr(getattr(block, "mlp", None), "gate", None) for block in hooks.blocks(model)]
    if None in routers:
        raise ValueError(f"{type(model).__name__} has a block without a router: give a mixture of experts (OLMoE).")
    seen: list[tuple[Tensor, Tensor]] = []
    keep = lambda _, given, made: seen.append((given[0].flatten(0, -2), made[2]))
    handles = [router.register_forward_hook(keep) for router in routers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
