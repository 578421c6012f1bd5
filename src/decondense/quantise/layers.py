"""Which layers of a model are rounded, and which are left as they are, each with the reason."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..backbones import pretrained


class Layers(NamedTuple):
    """The layers with weights of two axes or more, by name.

    rounded
        Linear layers.
    left
        Why each other one is left: embeddings, the head, and layers of a kind that has no rule here (experts,
        convolutions).
    share
        Of all parameters, those in the weights of rounded layers.
    """

    rounded: dict[str, nn.Module]
    left: dict[str, str]
    share: float


def layers(model: nn.Module) -> Layers:
    """What of a model is rounded, and what is left. A matrix that is also an embedding (a tied head) is left.

    Raises
        ValueError: the model has no linear layer, or was made aware of rounding before (`aware_`).
    """
    found, left, head = {}, {}, _head(model)
    embedded = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module):
            raise ValueError(f"{name} is rounded in training already: remove its parametrization first.")
        if isinstance(module, _kinds()) and module is not head and id(module.weight) not in embedded:
            found[name] = module
        elif any(p is not None and p.ndim > 1 for p in module._parameters.values()):
            left[name] = _why(module, head)
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no linear layer to round; left: {left or 'nothing'}. "
            "Give a model with linear layers beside its embeddings and its head."
        )
    weights = {id(m.weight): m.weight.numel() for m in found.values()}
    return Layers(found, left, sum(weights.values()) / sum(p.numel() for p in model.parameters()))


def matrix(module: nn.Module, weight: Tensor | None = None) -> Float[Tensor, "outputs inputs"]:
    """The weights with a row for each output; GPT-2's `Conv1D` has them the other way round."""
    weight = module.weight if weight is None else weight
    return weight if isinstance(module, nn.Linear) else weight.T


def _kinds() -> tuple[type, ...]:
    from transformers.pytorch_utils import Conv1D  # late: it takes a second

    return nn.Linear, Conv1D


def _head(model: nn.Module) -> nn.Module | None:
    inside = pretrained(model)
    return inside.get_output_embeddings() if hasattr(inside, "get_output_embeddings") else None


def _why(module: nn.Module, head: nn.Module | None) -> str:
    if isinstance(module, nn.Embedding):
        return "an embedding"
    if module is head:
        return "the head"
    tied = isinstance(module, _kinds())
    return "shares its weights with an embedding" if tied else f"{type(module).__name__} has no rule"
