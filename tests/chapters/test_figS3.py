"""Fig. S3: means over the last entries, on families made up here."""

import numpy as np
import pytest
from made_condensations import made

from decondense.chapters import figS3
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED

MU = np.array([[0.1, 0.2, 0.3, 0.4, 0.6, 0.8], [0.2, 0.3, 0.4, 0.5, 0.7, 0.9]])
RISING, FALLING = made(MU, "rising"), made(MU[:, ::-1], "falling")


def test_means_have_a_row_a_span_and_a_column_a_model():
    table = figS3.means([RISING, FALLING])
    assert table["rising"].tolist() == pytest.approx([0.85, 0.75, 0.65, 0.575, 0.51, 0.65])
    assert table["falling"]["last 1"] == pytest.approx(0.15)
    assert table.index.tolist() == list(figS3.SPANS)


def test_published_means_are_of_the_heat_maps():
    table = figS3.published()
    assert table["last 1"].tolist() == pytest.approx([0.90, 0.26], abs=0.005)
    assert table["last half"].tolist() == pytest.approx([0.57, 0.38], abs=0.005)


def test_a_span_that_reaches_the_embedding_does_not_fit():
    assert figS3.fits([RISING], 5)
    assert figS3.fits([RISING], None)
    assert not figS3.fits([RISING], 6)
    assert not figS3.fits([RISING, made(MU[:, :4])], 5)


def test_steps_are_counted_by_their_paired_intervals():
    members = [RISING, FALLING, FALLING, RISING]
    found = figS3.steps({"toy": members, "one": members[:1]})
    for metric in ("Spearman ρ", "Kendall τ", "last 1", "last half"):
        assert found.loc[metric].to_dict() == {"falls": 1, "rises": 1, "within the uncertainty": 1}


def test_steps_leave_out_a_family_that_is_too_shallow_for_a_span():
    shallow = [made(MU[:, :4]), made(MU[:, 3::-1])]
    found = figS3.steps({"deep": [RISING, FALLING], "shallow": shallow})
    assert found.falls.loc[["last 3", "last 4", "last half"]].tolist() == [2, 1, 2]


def test_claims_are_on_families_of_two_sizes_and_on_spans_that_fit():
    shallow = [made(MU[:, 3::-1]), made(MU[:, :4])]
    *sizes, last = figS3.claims({"deep": [RISING, FALLING], "one": [RISING], "shallow": shallow})
    assert [c.claim for c in sizes[:2]] == [
        "deep: the larger the model, the lower the mean of μ, last 1",
        "deep: the larger the model, the lower the mean of μ, last 2",
    ]
    assert len(sizes) == len(figS3.SPANS) + 4
    assert sizes[0].here == "0.85 [0.80, 0.90] → 0.15 [0.10, 0.20]"
    assert sizes[0].published == "GPT2 0.90 → GPT2-xl 0.26"
    assert [c.verdict.word for c in sizes] == [REPRODUCED] * 6 + [NOT_REPRODUCED] * 4
    assert last.here == "ρ 1; simple metrics 1, 1, 1, 1, 1, 1"
    assert last.verdict.word == NOT_REPRODUCED


def test_less_clear_is_fewer_steps_than_with_rho():
    table = figS3.steps({"toy": [RISING, FALLING]})
    table.loc["Spearman ρ", "falls"] = 2
    claim = figS3.clearness_claim(table)
    assert (claim.here, claim.verdict.word) == ("ρ 2; simple metrics 1, 1, 1, 1, 1, 1", REPRODUCED)
