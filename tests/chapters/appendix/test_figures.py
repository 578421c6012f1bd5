"""The figures of the padding show the numbers of its tables."""

import numpy as np
import pandas as pd
import pytest

from decondense.chapters.appendix import factors, figures

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def test_padding_draws_the_factor_and_never_below_jensen():
    left, right = figures.padding([1.0, 10.0], 832).axes
    line = left.lines[0]
    np.testing.assert_allclose(line.get_ydata(), factors.padding_factor(1.0, np.asarray(line.get_xdata())))
    ratios = [np.asarray(drawn.get_ydata()) for drawn in right.lines[:4]]
    assert all((ratio >= 1 - 1e-12).all() for ratio in ratios)
    assert (ratios[0] <= ratios[1]).all()  # factor, then its dotted upper bound


def test_padded_cosines_has_a_dot_a_simulation():
    table = pd.DataFrame({"before": [0.5, 0.5, 1.0], "r": [1.0, 10.0, 10.0], "mean": [0.1, 0.2, 0.3]})
    axis = figures.padded_cosines(table, 832).axes[0]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in dots] == [[0.1, 0.2], [0.3]]
