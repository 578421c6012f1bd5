"""The figures of the expansion draw what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from decondense.chapters.linear import errors, figures
from decondense.chapters.linear.tables import Targets


def test_curve_shows_the_mean_and_two_points():
    figure = figures.curve(0.3, 0.2)
    _, one, two = figure.axes[0].lines
    assert np.allclose(one.get_xdata(), [0.3])
    assert np.allclose(two.get_xdata(), [0.1, 0.5])
    assert np.allclose(two.get_ydata(), errors.kernel(np.array([0.1, 0.5])))
    assert not plt.get_fignums()


def test_domain_has_a_dot_for_each_row_and_order():
    z = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    table = pd.DataFrame([errors.errors(z + shift) for shift in (0.2, 0.5, 1.0)])
    figure = figures.domain({"a": table, "b": table[:1]}, Targets(1.0, 0.99, 20))
    for axis in figure.axes:
        assert [len(dots.get_offsets()) for dots in axis.collections] == [3, 3, 1, 1]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "a, order 1",
        "a, order 2",
        "b, order 1",
        "b, order 2",
    ]
    assert not plt.get_fignums()
