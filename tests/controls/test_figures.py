"""The figure of what lies within and between texts shows the numbers of the controls."""

from dataclasses import replace

import numpy as np
import pytest
from made_controls import gathered
from matplotlib.figure import Figure

from decondense.controls import figures


@pytest.fixture
def result(condensation):
    rng = np.random.default_rng(0)
    return replace(condensation, controls=gathered([rng.normal(size=(6, 8, 5)) + 1 for _ in range(6)]))


def test_a_panel_a_model_has_both_lines(result):
    figure = figures.within_and_between([result, replace(result, name="other")], titles=["trained", "untrained"])
    assert isinstance(figure, Figure)
    assert [axis.get_title() for axis in figure.axes] == ["trained", "untrained"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    np.testing.assert_array_equal(lines["within texts"], result.controls["within"])
    np.testing.assert_array_equal(lines["between texts"], result.controls["between"])
    assert len(lines) == 2


def test_without_a_result_it_says_so():
    assert isinstance(figures.within_and_between([]), Figure)


def test_a_result_without_controls_is_refused(condensation):
    with pytest.raises(ValueError, match="toy was measured without controls; measure it with controls=True"):
        figures.within_and_between([condensation])
