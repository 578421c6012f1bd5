"""A whole model rounded, for as long as it is needed or for good."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .layers import layers, matrix
from .rotation import check_width, rotated
from .rounding import check_group, rounded, to_nearest
from .scheme import Scheme


@contextmanager
def quantised(model: nn.Module, scheme: Scheme) -> Iterator[nn.Module]:
    """The model with its linear layers rounded, until the end of the `with` block: then it is as before.

    Raises
        ValueError: as `quantise_`; the model is unchanged then.
    """
    kept = {id(m.weight): (m.weight, m.weight.detach().clone()) for m in layers(model).rounded.values()}
    hooks = _quantise(model, scheme)
    try:
        yield model
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for weight, before in kept.values():
                weight.copy_(before)


def quantise_(model: nn.Module, scheme: Scheme) -> nn.Module:
    """Round the linear layers of a model in place (`layers` says which); returns the model.

    Inputs are rounded, and rotated, by hooks that stay. Biases, norms, embeddings and the head are not touched.

    Raises
        ValueError: no linear layer; a group that does not divide the inputs of a layer, or an odd number of inputs to
            rotate; weights that are not finite. Nothing is changed then.
    """
    _quantise(model, scheme)
    return model


@torch.no_grad()
def _quantise(model: nn.Module, scheme: Scheme) -> list:
    found = layers(model).rounded
    for name, module in found.items():
        _check(name, matrix(module), scheme)
    for module in {id(m.weight): m for m in found.values()}.values():
        matrix(module).copy_(weights(matrix(module), scheme))
    seen = inputs(scheme)
    return [] if seen is None else [m.register_forward_pre_hook(_first(seen)) for m in found.values()]


def _check(name: str, weights: Float[Tensor, "outputs inputs"], scheme: Scheme) -> None:
    check_group(scheme.group, weights.shape[1], name)
    if scheme.rotated:
        check_width(weights.shape[1], name)
    if not weights.isfinite().all():
        raise ValueError(f"The weights of {name} are not all finite: load the model again, or in another precision.")


def weights(w: Float[Tensor, "outputs inputs"], scheme: Scheme) -> Float[Tensor, "outputs inputs"]:
    """The weights of one layer under a scheme, in their own dtype; rotated in float64."""
    turned = rotated(w.double(), scheme.seed) if scheme.rotated else w
    return (turned if scheme.bits is None else rounded(turned, scheme.bits, scheme.group)).to(w.dtype)


def inputs(scheme: Scheme) -> Callable[[Tensor], Tensor] | None:
    """What the inputs of a layer go through; `None` where they stay as they are."""
    if scheme.activations is None and not scheme.rotated:
        return None

    def through(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
        turned = rotated(x, scheme.seed) if scheme.rotated else x
        return turned if scheme.activations is None else to_nearest(turned, scheme.activations)

    return through


def _first(function: Callable[[Tensor], Tensor]) -> Callable:
    return lambda module, given: (function(given[0]), *given[1:])
