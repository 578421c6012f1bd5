"""Outliers of weights and inputs: closed cases, by layer."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from toys import tiny

from decondense.quantise import outliers
from decondense.quantise.outliers import excess_kurtosis, peaks

IDS = torch.arange(24).view(2, 12)


def test_kurtosis_is_that_of_scipy():
    x = torch.randn(50, 20, generator=torch.Generator().manual_seed(0)).exp()
    assert excess_kurtosis(x) == pytest.approx(scipy.stats.kurtosis(x.double().numpy(), axis=None))


def test_two_values_have_the_least_kurtosis():
    assert excess_kurtosis(torch.tensor([1.0, -1, 1, -1])) == -2
    assert math.isnan(excess_kurtosis(torch.ones(4)))


def test_a_peak_is_the_largest_over_the_median():
    assert peaks(torch.tensor([[1.0, -2, 3, -40], [1, 1, 1, 1]])).tolist() == [16, 1]


def test_every_rounded_layer_is_described():
    model = tiny("gpt2")
    found = outliers(model, IDS)
    assert len(found) == 12
    layer = model.transformer.h[1].mlp.c_fc
    weights = layer.weight.T.detach().double().abs().numpy()
    row = found["transformer.h.1.mlp.c_fc"]
    assert row["weights_peak"] == pytest.approx((weights.max(1) / np.median(weights, 1)).mean())
    seen = []
    hook = layer.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    model(input_ids=IDS)
    hook.remove()
    x = seen[0].flatten(0, 1).double().abs().numpy()
    assert row["inputs_peak"] == pytest.approx((x.max(1) / np.median(x, 1)).mean())
    assert row["inputs_channels"] == pytest.approx(x.max(0).max() / np.median(x.max(0)))


def test_no_hook_stays():
    model = tiny("gpt2")
    outliers(model, IDS)
    assert not any(module._forward_pre_hooks for module in model.modules())
