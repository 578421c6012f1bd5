"""Checkpoints of runs as tables, claims and a figure, on runs made up here."""

import numpy as np
import pytest
from made_condensations import made
from made_runs import along as run

from decondense import paper
from decondense.chapters.fig4 import course
from decondense.paper.claims import Claim, judged
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED, SMALLER

FALLS = [0.9, 0.6, 0.1, -0.6]


@pytest.fixture
def runs():
    falls = [0.9, 0.6, 0.1, -0.4]
    return [run(label, seed, np.array(falls) + seed / 50) for label in ("small", "large") for seed in (0, 1, 2)]


def test_labels_are_in_order(runs):
    assert course.labels(runs) == ["small", "large"]
    assert course.labels([]) == []


def test_band_is_mean_and_extremes(runs):
    table = course.band(runs, "small", "rho")
    assert table.tokens.tolist() == [0, 512, 5120, 51200]
    np.testing.assert_allclose(table["mean"], [0.92, 0.62, 0.12, -0.38])
    np.testing.assert_allclose(table.low, [0.9, 0.6, 0.1, -0.4])
    np.testing.assert_allclose(table.high, [0.94, 0.64, 0.14, -0.36])


def test_runs_with_other_checkpoints_are_refused(runs):
    runs[1].path["tokens"] *= 2
    with pytest.raises(ValueError, match="'small' have different checkpoints"):
        course.band(runs, "small", "rho")


def test_ends(runs):
    table = course.ends(runs)
    assert table.columns.tolist() == ["at the start", "highest later", "lowest", "at the end"]
    np.testing.assert_allclose(table.loc["small", "ρ"].tolist(), [0.92, 0.62, -0.38, -0.38])
    np.testing.assert_allclose(table.loc["large", "loss"].tolist(), [9, 9 - 1 / 50, 7, 7])
    assert course.ends([]).empty


def test_the_highest_later_value_is_that_of_each_run():
    rises = [run("x", s, [1.0, *later]) for s, later in enumerate(([0.9, 0.1, 0.0], [0.1, 0.7, 0.0]))]
    assert course.ends(rises).loc[("x", "ρ"), "highest later"] == pytest.approx(0.8)


def test_a_look_before_anything_has_changed_is_not_a_later_one(runs):
    runs[0].path.loc[1] = runs[0].path.loc[0]
    assert course.highest_later(runs[0], "rho") == pytest.approx(0.1)


def test_numbers_over_seeds_have_an_interval_a_label(runs):
    found = course.over_seeds(runs, lambda run: run.path.rho.iloc[-1])
    assert list(found) == ["small", "large"]
    assert found["small"].value == pytest.approx(-0.38)
    assert found["small"].units == 3
    assert found["small"].interval.low == pytest.approx(-0.38 - 4.303 * 0.02 / 3**0.5, abs=1e-4)


# --- claims ---------------------------------------------------------------------------------------------------------


def words(runs):
    """Of rho and tau; the level has a test of its own."""
    return [claim.verdict.word for claim in judged(course.claims(runs))[:-1]]


def spread(values, reach=0.01):
    """Three runs of each label with these values, a little apart."""
    apart = np.linspace(1, 1.1, len(values))
    return [run(label, s, values + reach * (s - 1) * apart) for label in ("small", "large") for s in (0, 1, 2)]


def test_claims_on_runs_as_the_paper_has_them():
    falls = spread(FALLS)
    assert words(falls) == [REPRODUCED] * 6
    claims = judged(course.claims(falls))
    points = paper.training_run()
    assert claims[2].published == f"{points.spearman.iloc[-1]:.2f} at the end"
    assert claims[2].here.startswith("small -0.60 [")
    assert claims[0].here == "small 0.900, later up to 0.600; large 0.900, later up to 0.600"
    assert [c.claim.split()[2] for c in claims] == ["ρ"] * 3 + ["τ"] * 3 + ["μ"]
    assert [bool(c.repeats) for c in claims] == [False] * 3 + [True] * 3 + [False]
    assert f"{points.spearman.iloc[-1] - points.spearman.iloc[0]:+.3g}" in claims[1].rule


@pytest.mark.parametrize(
    ("values", "reach", "expected"),
    [
        ([0.9, 1.0, 0.8, 0.5], 0.005, [CONTRADICTED, SMALLER, CONTRADICTED]),  # rises first, and stays positive
        ([0.9, 0.6, 0.1, -0.1], 0.005, [REPRODUCED, SMALLER, SMALLER]),
        ([0.9, 0.6, 0.1, -0.4], 0.3, [CANNOT_TELL] * 3),
    ],
)
def test_cases_of_the_claims_on_rho(values, reach, expected):
    jitter = [run(one.label, one.seed, [0.9, *one.path.rho[1:]]) for one in spread(values, reach)]
    assert words(jitter)[:3] == expected


def test_a_claim_that_holds_in_one_of_two_shapes_holds_partly():
    mixed = [one if one.label == "small" else run("large", one.seed, 0.9 * one.path.rho**0) for one in spread(FALLS)]
    (claim,) = judged([course.claims(mixed)[1]])
    assert (claim.verdict.word, claim.verdict.why[:15]) == (PARTLY, "1 of 2 reproduc")


def test_runs_that_start_at_1_are_no_evidence_that_the_start_is_highest():
    full = [run("full", s, [1.0, 1.0, 0.2, 0.1 + s / 99], tau=[1.0, 1.0, 0.2, 0.1]) for s in (0, 1, 2)]
    found = course.claims(full)
    assert [found[at].verdict.word for at in (0, 3)] == [NOT_TESTABLE] * 2
    assert found[0].verdict.why == "every shape starts within 0.05 of 1, and nothing can exceed that"
    below = [run("below", s, [0.9, 0.99 + s / 999, 0.2, 0.1], tau=[1.0, 1.0, 0.2, 0.1]) for s in (0, 1, 2)]
    (claim,) = judged([course.claims(full + below)[0]])
    assert claim.verdict.word == CONTRADICTED  # by the shape that can tell


@pytest.mark.parametrize(("late", "word"), [([0.1, 0.9, 0.5, 0.2], CONTRADICTED), ([0.9, 0.5, 0.2, 0.1], REPRODUCED)])
def test_the_level_may_rise_where_the_correlation_falls(runs, late, word):
    for one in runs:
        one.path["late_half"] = late + np.array([0, one.seed / 100, 0, 0])
    (claim,) = judged([course.claims(runs)[-1]])
    assert claim.claim == "pocket: late-half μ is highest at initialisation"
    assert claim.here.startswith(f"small {late[0]:.3f}, later up to ")
    assert claim.verdict.word == word


def test_one_run_gives_no_verdict(runs):
    with pytest.raises(ValueError, match="1 seeds give none"):
        course.claims(runs[:1])


def test_without_runs_nothing_is_testable():
    assert words([]) == [NOT_TESTABLE] * 6


# --- the checkpoints of the paper -----------------------------------------------------------------------------------


RISES = made([np.linspace(0.1, 0.5, 33)] * 4, "step")
FALLING = made([np.linspace(0.5, 0.1, 33)] * 4, "step")


def test_every_published_checkpoint_has_a_revision():
    assert list(course.REVISIONS) == paper.training_run().checkpoint.tolist()
    assert len(set(course.REVISIONS.values())) == 13


def olmo(results) -> list[Claim]:
    return judged(course.checkpoint_claims(results))


def test_olmo_claims_without_the_hub_are_not_testable():
    claims = olmo([])
    assert [c.verdict.word for c in claims] == [NOT_TESTABLE] * 4
    assert {c.verdict.why for c in claims} == {"the checkpoints are on the hub only: `--profile paper` measures them"}


def test_olmo_claims_on_a_run_that_stays_condensed():
    changed = made(RISES.mu_per_text + 0.1)
    assert [c.verdict.word for c in olmo([RISES] * 12 + [changed])] == [CANNOT_TELL, CONTRADICTED] * 2  # nothing moved


def test_olmo_claims_on_a_run_that_turns():
    claims = olmo([RISES] * 12 + [FALLING])
    assert [c.verdict.word for c in claims] == [REPRODUCED] * 4
    assert [c.here for c in claims[:2]] == ["-2.00 [-2.00, -2.00]", "-1.00 [-1.00, -1.00]"]
    assert [bool(c.repeats) for c in claims] == [False, False, True, True]


def test_part_of_the_checkpoints_is_not_the_run():
    assert [c.verdict.word for c in olmo([RISES] * 12)] == [NOT_TESTABLE] * 4
