"""What the tests of figures share."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def result(condensation):
    """The toy result with the paper's 128 bins."""
    density = np.random.default_rng(0).uniform(0.1, 1, (5, 128))
    return replace(condensation, histogram=density / density.sum(1, keepdims=True) * 64)
