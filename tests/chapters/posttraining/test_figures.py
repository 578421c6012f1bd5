"""The figures show every run, each method in its colour, and where they are compared."""

import numpy as np
import pytest

from decondense.chapters.posttraining import figures


@pytest.fixture
def found(made, tmp_path):
    return {method: made.runs(tmp_path, [0.5, 0.4], [0.3, 0.3], method=method) for method in ("sft", "dpo", "grpo")}


def test_every_run_is_a_line_from_the_start(found):
    figure = figures.paths(found, 0.02)
    for axis, name in zip(figure.axes, figures.SHOWN, strict=True):
        assert axis.get_title() == name
        assert len(axis.lines) == 3 * 4 + 1
        assert axis.lines[0].get_xdata()[0] == 0
    labels = {line.get_label() for line in figure.axes[0].lines}
    assert labels >= {"SFT", "SFT, dispersion", "DPO", "DPO, dispersion", "GRPO", "GRPO, dispersion"}


def test_over_depth_is_the_mean_change_of_each_arm(found, made, tmp_path):
    found["grpo"] = [made.run(tmp_path, kl=(0.0, 0.001, 0.002), method="grpo")]
    figure = figures.over_depth(found, 0.03)
    assert [axis.get_title() for axis in figure.axes] == ["SFT", "DPO", "GRPO"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0, 0, 0, -0.12, -0.12], atol=1e-12)
    assert len(figure.axes[2].lines) == 1  # none came as far: the line at 0 alone
