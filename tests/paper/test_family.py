"""Sizes of one model trained here: what is asked of the runs, and their trends, on runs made up here."""

import numpy as np
import pytest
from made_runs import of_family

from decondense.paper import family
from decondense.paper.claims import judged
from decondense.paper.verdicts import CONTRADICTED, REPRODUCED
from decondense.runs import grid

UP, DOWN = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]
MIXED = [0.1, 0.4, 0.2, 0.3, 0.5]
FALLING = {
    "24 wide": [{"here": UP, "there": UP}, {"here": UP, "there": UP}, {"here": UP, "there": MIXED}],
    "32 wide": [{"here": MIXED, "there": MIXED}] * 3,
    "64 wide": [{"here": DOWN, "there": UP}, {"here": DOWN, "there": DOWN}, {"here": DOWN, "there": DOWN}],
}


@pytest.fixture
def runs():
    return of_family(FALLING)


def test_asked_are_sizes_of_one_depth_on_the_first_text():
    how = {"blocks": 6, "widths": [48, 24], "seeds": [0, 1], "steps": 4000, "texts": 20}
    shared, sizes, seeds = family.asked(how, ["wikitext-2", "bible"])
    assert (shared.corpus, shared.elsewhere, shared.tokens) == ("wikitext-2", ("bible",), 4_096_000)
    jobs = grid.jobs(shared, sizes, seeds)
    assert [label for label, _ in jobs] == ["24 wide", "24 wide", "48 wide", "48 wide"]
    shape = jobs[-1][1].shape
    assert shape == {"architecture": "GPT2Config", "n_layer": 6, "n_embd": 48, "n_head": 6}


def test_texts_are_the_own_one_and_those_elsewhere(runs):
    assert family.texts(runs) == ["here", "there"]
    assert family.look(runs[0], "here").mu.tolist() == UP
    assert family.look(runs[2], "there").mu.tolist() == MIXED


def test_falls_are_the_widest_minus_the_narrowest_of_each_seed(runs):
    here, there = (family.falls(runs, text) for text in ("here", "there"))
    np.testing.assert_allclose(here["Spearman ρ"], [-2, -2, -2])
    np.testing.assert_allclose(there["Spearman ρ"], [0, -2, -1.7])
    np.testing.assert_allclose(here["late-half μ"], [-0.3, -0.3, -0.3])  # entries 3 and 4: 0.15 - 0.45


def test_trends_have_their_interval_over_seeds_and_the_published_number(runs):
    row = family.trends(runs, "there").loc["Spearman ρ"]
    assert row.difference == pytest.approx(-3.7 / 3)
    assert row.low < -3.7 / 3 < row.high
    assert row.published == pytest.approx(-0.5896 - 0.3853)
    assert family.trends(runs, "here").loc["late-half μ", "published"] == pytest.approx(-0.187, abs=5e-4)


def test_size_claim_is_judged_over_seeds_by_the_published_effect(runs):
    rho, late = judged(
        [family.size_claim(runs, name, family.STATISTICS[name], "Fig. 2") for name in ("Spearman ρ", "late-half μ")]
    )
    assert rho.claim == "trained here, on here: the larger the model, the lower Spearman ρ"
    assert rho.here == "1.000 ± 0.000 → 0.700 ± 0.000 → -1.000 ± 0.000; largest - smallest -2.00 [-2.00, -2.00]"
    assert rho.rule == "smallest effect that counts -0.975: published, GPT2 to GPT2-xl, Fig. 2b"
    assert late.published == "GPT2 0.57 → GPT2-xl 0.38"
    assert [rho.verdict.word, late.verdict.word] == [REPRODUCED] * 2
    rising = of_family(dict(zip(FALLING, list(FALLING.values())[::-1], strict=True)))
    (claim,) = judged([family.size_claim(rising, "late-half μ", family.STATISTICS["late-half μ"], "Fig. 2")])
    assert claim.verdict.word == CONTRADICTED


def test_the_same_claim_again_is_not_counted(runs):
    statistic = family.STATISTICS["Kendall τ"]
    assert family.size_claim(runs, "Kendall τ", statistic, "Fig. 2").repeats.startswith("the claim on ρ")
    again = family.size_claim(runs, "last half", statistic, "Fig. S3", "the mean", repeats="Fig. 2")
    assert (again.repeats, again.claim.split("lower ")[1]) == ("Fig. 2", "the mean")
