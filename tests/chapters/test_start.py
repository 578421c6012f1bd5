"""The first page: what follows from the published heat maps, and one measurement with two histograms."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at

from decondense import metrics, paper
from decondense.chapters import start
from decondense.paper.claims import IN_PRINT
from decondense.paper.verdicts import REPRODUCED


def test_correlations_are_of_the_published_mean_cosines():
    table = start.correlations()
    mu = paper.mean_cosines("Fig2a", "GPT2-xl").cosine_mean.to_numpy()
    row = table.loc["kendall", "GPT2-xl"]
    assert row["without the first"] == pytest.approx(metrics.kendall(mu[1:]))
    assert row["without the last"] == pytest.approx(metrics.kendall(mu[:-1]))
    assert row.published == pytest.approx(-0.56, abs=0.005)
    assert list(table.loc["spearman"].index) == ["GPT2", "GPT2-xl"]


def test_only_all_entries_give_the_published_correlations():
    table = start.correlations()
    apart = table[list(start.ENTRIES)].sub(table.published, axis=0).abs()
    assert (apart["all entries"] < start.TOLERANCE).all()
    assert (apart[["without the first", "without the last"]] > start.TOLERANCE).all().all()


def test_claims_show_both_models_for_each_metric_and_count_once():
    spearman, kendall = start.claims()
    assert spearman.claim == "spearman follows from μ at all L + 1 entries (GPT2, GPT2-xl)"
    assert spearman.published == "0.385, -0.590"
    assert spearman.here.startswith("all entries 0.385, -0.595; without the first 0.217, ")
    assert kendall.published == "0.257, -0.560"
    assert [spearman.verdict.word, kendall.verdict.word] == [REPRODUCED, REPRODUCED]
    assert [(claim.kind, claim.repeats) for claim in (spearman, kendall)] == [
        (IN_PRINT, ""),
        (IN_PRINT, spearman.claim),
    ]


def test_histograms_are_titled_by_their_width(condensation):
    narrow = np.zeros_like(condensation.histogram)
    narrow[:, 8] = 8  # one bin of 16: the standard deviation is 0
    figure = start.histograms(condensation, replace(condensation, histogram=narrow))
    looked_at(figure)
    width = metrics.histogram_std(condensation.histogram).mean()
    assert [axis.get_title() for axis in figure.axes[:2]] == [f"pooled, σ {width:.3f}", "averaged, σ 0.000"]
    assert plt.get_fignums() == []


def test_histograms_of_other_texts_are_refused(condensation):
    other = replace(condensation, mu_per_text=condensation.mu_per_text + 0.01)
    with pytest.raises(ValueError, match="other models or texts"):
        start.histograms(condensation, other)


def test_the_curve_to_be_dragged_is_drawn_as_it_is():
    (axis,) = looked_at(start.over_entries([0.1, 0.4, 0.3])).axes
    (line,) = axis.lines
    assert line.get_xdata().tolist() == [0, 1, 2]
    assert line.get_ydata().tolist() == [0.1, 0.4, 0.3]
    assert axis.get_ylim() == (0, 1)
