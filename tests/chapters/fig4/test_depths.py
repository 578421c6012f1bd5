"""mu over depth along training: the lines are the means over the seeds, one of them shown with its band."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at
from made_runs import Known, along
from matplotlib.colors import to_hex

from decondense.chapters.fig4 import depths
from decondense.plots import BLUE

MU = np.array([[0.1, 0.2, 0.3], [0.5, 0.7, 0.9], [0.4, 0.5, 0.2], [0.3, 0.2, 0.1]])  # of the four checkpoints


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def run(label, seed):
    path = along(label, seed, [1.0, 1.0, -0.5 + seed / 10, -1.0]).path
    return Known(label, seed, mu=MU + seed / 100, path=path)


RUNS = [run(label, seed) for label in ("GPT-2", "Qwen3") for seed in (0, 2)]


def test_a_panel_a_label_and_a_line_a_checkpoint():
    figure = looked_at(depths.profiles(RUNS))
    assert [axis.get_title() for axis in figure.axes] == ["GPT-2", "Qwen3"]
    for axis in figure.axes:
        np.testing.assert_allclose([line.get_ydata() for line in axis.lines], MU + 0.01)
        assert axis.lines[0].get_xdata().tolist() == [0, 0.5, 1]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["step 0", "step 1", "step 10", "step 100"]


def test_one_checkpoint_is_shown_with_its_seeds_and_its_rho():
    axis = looked_at(depths.profiles(RUNS, 2)).axes[0]
    (shown,) = [line for line in axis.lines if line.get_color() == BLUE]
    np.testing.assert_allclose(shown.get_ydata(), MU[2] + 0.01)
    assert shown.get_label() == "step 10"
    assert axis.get_title() == "GPT-2, mean ρ -0.40"
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (pytest.approx(MU[2].min()), pytest.approx(MU[2].max() + 0.02))
    assert to_hex(band.get_facecolor()[0]) == BLUE


def test_the_slider_goes_over_the_checkpoints():
    html = depths.over_steps(RUNS, "fig4-depths").data
    assert [f'data-label="{step}"' in html for step in (0, 1, 10, 100)] == [True] * 4
    assert html.count("<img") == 4


@pytest.mark.parametrize("runs", [[], [RUNS[0], Known("x", 0, mu=MU[:3], path=RUNS[0].path[:3])]])
def test_runs_without_checkpoints_in_common_are_refused(runs):
    with pytest.raises(ValueError, match="must have the same checkpoints"):
        depths.steps(runs)
