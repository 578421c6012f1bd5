"""Training with rounding: forward passes see rounded weights and inputs, gradients pass as if there were none."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .layers import layers
from .rounding import check_group, rounded, to_nearest
from .scheme import Scheme


class _Passed(torch.autograd.Function):
    """The rounded values going forward, the gradient as it is going back."""

    @staticmethod
    def forward(context, x: Float[Tensor, "*shape"], there: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return there

    @staticmethod
    def backward(context, gradient: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], None]:
        return gradient, None


class _Rounded(nn.Module):
    """The rule for the weights of one layer; `turned` where its inputs lie along the first axis."""

    def __init__(self, scheme: Scheme, turned: bool):
        super().__init__()
        self.scheme, self.turned = scheme, turned

    def forward(self, weight: Float[Tensor, "a b"]) -> Float[Tensor, "a b"]:
        w = weight.detach()
        there = rounded(w.T if self.turned else w, self.scheme.bits, self.scheme.group)
        return _Passed.apply(weight, there.T if self.turned else there)


def aware_(model: nn.Module, scheme: Scheme) -> nn.Module:
    """Make the linear layers of a model round in every forward pass, from now on; returns the model.

    The weights that an optimizer sees keep their precision. Gradients are those at the rounded weights and inputs,
    taken for those at the weights and inputs themselves (straight-through, Bengio et al. 2013, arXiv 1308.3432).

    Raises
        ValueError: a scheme that leaves the weights or that rotates; no linear layer; a group that does not divide.
    """
    if scheme.bits is None or scheme.rotated:
        raise ValueError(f"Training rounds weights and does not rotate: give such a scheme, not {scheme.label!r}.")
    found = layers(model).rounded
    for name, module in found.items():
        turned = not isinstance(module, nn.Linear)
        check_group(scheme.group, module.weight.shape[0 if turned else 1], name)
    for module in found.values():
        parametrize.register_parametrization(
            module, "weight", _Rounded(scheme, not isinstance(module, nn.Linear)), unsafe=True
        )
        if scheme.activations is not None:
            module.register_forward_pre_hook(_straight_through(scheme.activations))
    return model


def _straight_through(bits: int):
    def hook(module: nn.Module, given: tuple) -> tuple:
        x, *others = given
        return _Passed.apply(x, to_nearest(x.detach(), bits)), *others

    return hook
