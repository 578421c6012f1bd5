"""How far the largest numbers of weights and inputs lie from the others: what a step of rounding must span."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .layers import layers, matrix


@torch.no_grad()
def outliers(model: nn.Module, ids: Int[Tensor, "texts tokens"]) -> dict[str, dict[str, float]]:
    """For each layer that is rounded (`layers`), of its weights and of its inputs on these texts::

        weights_kurtosis, inputs_kurtosis   excess kurtosis of all numbers together (0 for a normal distribution)
        weights_peak                        max |w| / median |w| of an output channel, mean over the channels
        inputs_peak                         max |x| / median |x| of a token, mean over the tokens
        inputs_channels                     the largest over the median channel, by the max |x| over all tokens

    A step spans what shares it: an output channel of weights, a token of inputs. In float64; a median of
    0 gives infinity.

    Raises
        ValueError: no linear layer.
    """
    found = layers(model).rounded
    seen: dict[str, dict[str, float]] = {name: _of_weights(matrix(module)) for name, module in found.items()}
    hooks = [m.register_forward_pre_hook(_keep(seen[name])) for name, m in found.items()]
    try:
        model(input_ids=ids.to(next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _keep(into: dict[str, float]):
    return lambda module, given: into.update(_of_inputs(given[0].flatten(0, -2)))


def _of_weights(w: Float[Tensor, "outputs inputs"]) -> dict[str, float]:
    return {"weights_kurtosis": excess_kurtosis(w), "weights_peak": float(peaks(w).mean())}


def _of_inputs(x: Float[Tensor, "tokens inputs"]) -> dict[str, float]:
    channels = x.double().abs().amax(0)
    return {
        "inputs_kurtosis": excess_kurtosis(x),
        "inputs_peak": float(peaks(x).mean()),
        "inputs_channels": float(peaks(channels[None])[0]),
    }


def excess_kurtosis(x: Float[Tensor, "*shape"]) -> float:
    """E[(x - mean)^4] / E[(x - mean)^2]^2 - 3 over all numbers; NaN where nothing varies."""
    centred = x.double() - x.double().mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def peaks(x: Float[Tensor, "rows n"]) -> Float[Tensor, "rows"]:
    """max |x| / median |x| of each row, the median that of `numpy.median`."""
    size = x.double().abs()
    return size.amax(1) / size.quantile(0.5, dim=1)
