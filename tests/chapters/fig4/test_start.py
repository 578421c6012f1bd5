"""Untrained models as tables, claims and figures, on measurements made up here."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looked_at import looked_at
from made_condensations import made

from decondense import paper
from decondense.chapters.fig4 import start
from decondense.paper.claims import judged
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.records import Record
from decondense.surveys import Measured


def result(mu):
    """A measurement of one text with this mean cosine."""
    return Measured(made([mu]), None)


RISES, DIPS = np.linspace(0.1, 0.5, 33), np.r_[np.linspace(0.1, 0.5, 17), np.linspace(0.4, 0.3, 16)]
REPEATED = {2: [result([0.5, 0.4, 0.3]), result([0.5, 0.3, 0.4])], 512: [result([0.1, 0.2, 0.3])]}


def test_table_gives_sizes_spread_and_falls():
    found = {"gpt2": [result([0.1, 0.3, 0.2]), result([0.2, 0.4, 0.4])], "qwen3-4b": [result([0.1, 0.5, 0.6])]}
    table = start.table(found)
    assert table.loc["gpt2"].tolist() == [
        12, 768, "0.683 [0.500, 0.866]", "0.575 [0.333, 0.816]",
        "0.150 [0.100, 0.200]", "0.300 [0.200, 0.400]", "1 of 2",
    ]  # fmt: skip
    assert table.loc["qwen3-4b"].tolist() == [36, 2560, "1.000", "1.000", "0.100", "0.600", "0 of 2"]


def test_repetition_is_a_row_a_count():
    table = start.repetition(REPEATED)
    assert table.loc[2].tolist() == [
        "-0.750 [-1.000, -0.500]", "-0.667 [-1.000, -0.333]", "0.500 [0.500, 0.500]", "0.350 [0.300, 0.400]",
        "0.350 [0.300, 0.400]",
    ]  # fmt: skip
    assert table.loc[512].tolist() == ["1.000", "1.000", "0.100", "0.200", "0.300"]


def test_cost_is_that_of_the_records():
    spent = [{"seconds": 30.0, "peak_memory_bytes": 2_000_000_000}, {"seconds": 90.0, "peak_memory_bytes": 10**9}]
    members = [Measured(made([RISES]), Record(Path("a"), {"provenance": one}, None)) for one in spent]
    assert start.cost(members).tolist() == [2, 2.0, 1.5, 2.0]


# --- claims ---------------------------------------------------------------------------------------------------------


def words(found):
    return [claim.verdict.word for claim in judged(start.claims(found))]


def test_claims_where_all_rise():
    found = {"olmo-3-7b": [result(RISES)] * 3, "gpt2": [result(RISES)] * 2, "gpt2-xl": [result(RISES + 0.1)] * 2}
    claims = judged(start.claims(found))
    assert [claim.verdict.word for claim in claims] == [REPRODUCED] * 5
    assert claims[0].published == f"{paper.training_run().spearman[0]:.3f} ± 0.004"
    assert claims[0].here == "olmo-3-7b 1.000 [1.000, 1.000]"
    assert claims[2].here == "gpt2 1.000 [1.000, 1.000]; gpt2-xl 1.000 [1.000, 1.000]"
    assert [claim.source for claim in claims] == ["Fig. 4"] * 2 + ["this book"] * 3
    assert [bool(claim.repeats) for claim in claims] == [False, True, False, True, False]
    assert claims[4].here == "GPT2 +0.10"


def test_claims_where_some_do_not():
    found = {"olmo-3-7b": [result(DIPS)] * 2, "gpt2": [result(RISES)] * 2, "gpt2-xl": [result(DIPS)] * 2}
    assert words(found) == [CONTRADICTED, CONTRADICTED, PARTLY, PARTLY, CONTRADICTED]


def test_of_many_models_the_claim_says_how_many():
    found = {
        name: [result(RISES), result(RISES)] for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "qwen3-4b")
    }
    assert start.claims(found)[2].here == "5 models: 1.000 [1.000, 1.000]"


def test_the_size_claim_counts_families():
    rising = {"gpt2": [result(RISES)], "gpt2-xl": [result(RISES + 0.1)]}
    falling = {"bloom-560m": [result(RISES)], "bloom-7b1": [result(RISES - 0.05)]}
    found = start.size_claim(rising | falling)
    assert (found.verdict.word, found.verdict.why) == (PARTLY, "1 of 2 families rise")
    assert found.here == "GPT2 +0.10; Bloom -0.05"


def test_claims_of_what_was_not_measured_are_not_testable():
    assert words({}) == [NOT_TESTABLE] * 5
    assert words({"gpt2": [result(RISES)] * 2}) == [NOT_TESTABLE] * 2 + [REPRODUCED] * 2 + [NOT_TESTABLE]


@pytest.mark.parametrize(
    ("counts", "here", "verdict"),
    [
        ((2, 512), "2 -0.500 [-0.500, -0.500]; 512 1.000 [1.000, 1.000]", PARTLY),
        ((2,), "2 -0.500 [-0.500, -0.500]", CONTRADICTED),
        ((512,), "512 1.000 [1.000, 1.000]", REPRODUCED),
        ((), "none", NOT_TESTABLE),
    ],
)
def test_repetition_claim(counts, here, verdict):
    low, high = [result([0.5, 0.3, 0.4])] * 2, [result([0.1, 0.2, 0.3])] * 2
    found = {2: low, 512: high}
    (claim,) = judged([start.repetition_claim("toy", {count: found[count] for count in counts})])
    assert claim.claim.startswith("toy, untrained: ")
    assert (claim.here, claim.verdict.word) == (here, verdict)


# --- figures --------------------------------------------------------------------------------------------------------


def test_profiles_have_a_panel_a_family_and_a_line_a_model():
    found = {"gpt2": [result(RISES), result(DIPS)], "bloom-560m": [result(DIPS)], "gpt2-xl": [result(DIPS)]}
    figure = start.profiles(found)
    looked_at(figure)
    assert [axis.get_title() for axis in figure.axes] == ["GPT2", "Bloom"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["GPT2", "GPT2-xl"]
    mean = figure.axes[0].lines[0]
    np.testing.assert_allclose(mean.get_ydata(), (RISES + DIPS) / 2)
    assert mean.get_xdata()[[0, -1]].tolist() == [0, 1]
    assert plt.get_fignums() == []


def test_profiles_of_a_repeated_text_have_a_line_a_count():
    figure = start.repeated_profiles("toy", REPEATED)
    (axis,) = looked_at(figure).axes
    assert (axis.get_title(), [text.get_text() for text in axis.texts]) == ("toy", ["2 different", "512 different"])
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [0.1, 0.2, 0.3])
