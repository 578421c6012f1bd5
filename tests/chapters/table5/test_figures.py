"""Figures show what the tables hold."""

import numpy as np
import pandas as pd
import pytest
from made_runs import Known

from decondense.chapters.table5 import figures
from decondense.chapters.table5.quantities import ACCURACY

STEPS = [0, 1, 10, 100]


def followed(seeds=3):
    rng = np.random.default_rng(0)
    path = lambda: pd.DataFrame({"step": STEPS, "validation_loss": rng.normal(size=4), "rho": rng.normal(size=4)})
    labels = ("train", "dispersion")
    return {
        name: [Known(label, seed, path=path()) for label in labels for seed in range(seeds)]
        for name in ("GPT-2", "Qwen3")
    }


def test_along_shows_means_and_ranges_by_model_and_quantity():
    runs = followed()
    figure = figures.along(runs, {"validation_loss": "validation loss", "rho": "ρ"})
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
    runs = followed(seeds=1)
    figure = figures.along({"GPT-2": runs["GPT-2"]}, {"rho": "ρ"})
    assert len(figure.axes) == 1


def test_the_published_gain_is_beside_the_condition_of_the_paper():
    index = pd.MultiIndex.from_product([["GPT-2", "Qwen3"], ["dispersion", "more"], [ACCURACY, "ρ"]])
    index.names = ["model", "condition", "quantity"]
    table = pd.DataFrame({"difference": np.arange(8.0), "low": -1.0, "high": 9.0}, index=index)
    (axis,) = figures.gains(table).axes
    here, published = axis.lines[:2]
    assert list(here.get_xdata()) == [0, 2, 4, 6]
    np.testing.assert_allclose(published.get_xdata(), [1.17, np.nan, 1.17, np.nan])
