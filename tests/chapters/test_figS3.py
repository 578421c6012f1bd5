"""Fig. S3: means over the last entries, on models made up here."""

from dataclasses import replace

import numpy as np
import pytest
from looked_at import looked_at
from made_condensations import made
from made_runs import of_family

from decondense.chapters import figS3
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, REPRODUCED
from decondense.surveys import Measured

MU = np.array([[0.1, 0.2, 0.3, 0.4, 0.6, 0.8], [0.2, 0.3, 0.4, 0.5, 0.7, 0.9]])
RISING, FALLING = made(MU, "rising"), made(MU[:, ::-1], "falling")


def trained(*ends):
    """Two sizes, two seeds: the profile of each size, which the second seed shifts a little."""
    return of_family({f"{n} wide": [{"here": mu}, {"here": mu + 0.01 * n}] for n, mu in enumerate(ends, start=1)})


RUNS = trained(MU[0], MU[0, ::-1])


def test_means_have_a_row_a_span_and_a_column_a_model():
    table = figS3.means([RISING, FALLING])
    assert table["rising"].tolist() == pytest.approx([0.85, 0.75, 0.65, 0.575, 0.51, 0.65])
    assert table["falling"]["last 1"] == pytest.approx(0.15)
    assert table.index.tolist() == list(figS3.SPANS)


def test_trained_means_are_over_the_seeds():
    table = figS3.trained_means(RUNS)
    assert table.columns.tolist() == ["1 wide", "2 wide"]
    assert table["1 wide"]["last 1"] == pytest.approx(0.805)
    assert table["2 wide"]["last half"] == pytest.approx(0.2 + 0.01)


def test_published_means_are_of_the_heat_maps():
    table = figS3.published()
    assert table["last 1"].tolist() == pytest.approx([0.90, 0.26], abs=0.005)
    assert table["last half"].tolist() == pytest.approx([0.57, 0.38], abs=0.005)


def test_a_span_that_reaches_the_embedding_does_not_fit():
    assert list(figS3.fitting(RISING)) == list(figS3.SPANS)
    assert list(figS3.fitting(RISING, made(MU[:, :4]))) == ["last 1", "last 2", "last 3", "last half"]


def test_changes_in_standard_errors_over_the_seeds():
    table = figS3.in_standard_errors(RUNS)
    assert table.index.tolist() == ["Spearman ρ", "Kendall τ", *figS3.SPANS]
    row = table.loc["last 1"]  # the seeds give 0.1 - 0.8 and 0.12 - 0.81
    assert row.tolist() == pytest.approx([-0.695, 0.005, -139])
    assert np.isnan(table.loc["Spearman ρ", "ratio"])  # -2 for both


def test_precision_moves_a_mean_by_the_largest_change_of_the_control():
    lower, least = (replace(RISING, mu_per_text=MU - shift) for shift in (0.05, 0.2))
    of = {bits: Measured(one, None) for bits, one in ((None, RISING), (5, lower), (3, least))}
    found = figS3.moved_by_precision({"toy": of}, [5, 4])
    assert found == pytest.approx(dict.fromkeys(figS3.SPANS, 0.05))
    assert figS3.moved_by_precision({"toy": of}, [5, 3])["last 1"] == pytest.approx(0.2)


def test_claims_are_on_the_trained_sizes_and_on_families_of_two_sizes():
    shallow = [made(MU[:, 3::-1]), made(MU[:, :4])]
    *sizes, clear = figS3.claims(RUNS, {"deep": [RISING, FALLING], "one": [RISING], "shallow": shallow})
    assert [c.claim for c in sizes[:2]] == [
        "trained here, on here: the larger the model, the lower the mean of μ, last 1",
        "trained here, on here: the larger the model, the lower the mean of μ, last 2",
    ]
    assert len(sizes) == 2 * len(figS3.SPANS) + 4
    deep = sizes[len(figS3.SPANS)]
    assert deep.here == "0.85 [0.80, 0.90] → 0.15 [0.10, 0.20]"
    assert deep.published == "GPT2 0.90 → GPT2-xl 0.26 (Fig. 2a)"
    assert deep.rule.startswith("smallest effect that counts -0.214: published, the mean step from GPT2 to GPT2-xl")
    assert [c.verdict.word for c in sizes] == [REPRODUCED] * 12 + [CONTRADICTED] * 4
    assert clear.verdict.word == NOT_TESTABLE


def test_one_of_six_readings_of_a_trend_counts():
    found = figS3.claims(RUNS, {"deep": [RISING, FALLING]})[:-1]
    assert [c.claim.split("μ, ")[1] for c in found if not c.repeats] == ["last half"] * 2


def test_precision_counts_against_the_pretrained_families():
    found = figS3.claims(RUNS, {"deep": [RISING, FALLING]}, dict.fromkeys(figS3.SPANS, 0.8))[:-1]
    assert [c.verdict.word for c in found[6:]] == [CANNOT_TELL] * 6


def test_over_spans_has_a_named_line_a_model_and_the_published_ones_in_grey():
    results = [replace(RISING, name="gpt2"), FALLING]
    figure = looked_at(figS3.over_spans(results, RUNS))
    (axis,) = figure.axes
    names = ["published, GPT2", "published, GPT2-xl", "GPT2", "falling", "trained here, 1 wide", "trained here, 2 wide"]
    assert sorted(text.get_text() for text in axis.texts) == sorted(names)
    assert [tick.get_text() for tick in axis.get_xticklabels()] == list(figS3.SPANS)
    drawn = [line.get_ydata() for line in axis.lines]
    np.testing.assert_allclose(drawn[:2], figS3.published())
    np.testing.assert_allclose(drawn[2:4], figS3.means(results).T)
    assert [line.get_color() for line in axis.lines[:2]] == ["0.5", "0.5"]
