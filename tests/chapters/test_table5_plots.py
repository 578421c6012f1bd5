"""What the figures show is what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from decondense.chapters import table5_plots
from decondense.runs.run import Run

STEPS = [0, 1, 10, 100]


class Made(Run):
    """A run that is its label, its seed and its path."""

    def __init__(self, label, seed, path):
        self.__dict__.update(label=label, seed=seed, path=path)


def made(seeds=3):
    rng = np.random.default_rng(0)
    return {
        name: [
            Made(
                label,
                seed,
                pd.DataFrame({"step": STEPS, "validation_loss": rng.normal(size=4), "rho": rng.normal(size=4)}),
            )
            for label in ("train", "dispersion")
            for seed in range(seeds)
        ]
        for name in ("GPT-2", "Qwen3")
    }


def test_along_shows_means_and_ranges_by_model_and_quantity():
    runs = made()
    figure = table5_plots.along(runs, {"validation_loss": "validation loss", "rho": "ρ"})
    axes = np.reshape(figure.axes, (2, 2))
    assert [axis.get_title() for axis in axes[0]] == ["GPT-2", "Qwen3"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["validation loss", "ρ"]
    paths = np.array([run.path["rho"] for run in runs["Qwen3"] if run.label == "dispersion"])
    line, band = axes[1, 1].lines[1], axes[1, 1].collections[1]
    np.testing.assert_allclose(line.get_ydata(), paths.mean(0))
    assert line.get_xdata().tolist() == [0.5, 1, 10, 100]
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((paths.min(), paths.max()))
    assert [text.get_text() for text in axes[1, 1].get_xticklabels()] == ["0", "1", "10", "100"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "dispersion"]


def test_one_model_and_one_quantity():
    runs = made(seeds=1)
    figure = table5_plots.along({"GPT-2": runs["GPT-2"]}, {"rho": "ρ"})
    assert len(figure.axes) == 1


def test_differences_beside_the_published_ones():
    index = pd.MultiIndex.from_product([["GPT-2", "Qwen3"], ["dispersion", "more"]])
    table = pd.DataFrame({"difference": [1.0, 2, 3, 4], "low": [0.0, 1, 2, 3], "high": [2.0, 3, 4, 5]}, index=index)
    figure = table5_plots.differences(table, "points", [1.17, np.nan, 1.17, np.nan])
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()][:2] == ["GPT-2, dispersion", "GPT-2, more"]
    here, published = axis.lines[:2]
    assert list(here.get_xdata()) == [1, 2, 3, 4]
    assert list(here.get_ydata()) == [3, 2, 1, 0]
    assert np.nansum(published.get_xdata()) == pytest.approx(2.34)
    segments = [segment[:, 0].tolist() for segment in axis.collections[0].get_segments()]
    assert segments == [[0, 2], [1, 3], [2, 4], [3, 5]]
