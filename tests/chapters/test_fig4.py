"""Checkpoints of runs as tables and claims, on runs made up here."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from decondense import paper
from decondense.chapters import fig4
from decondense.condensation import Condensation
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.stats import Interval

STEPS = np.array([0, 1, 10, 100])


def run(label, seed, rho, tau=None, reach=0.0):
    """What a page reads of a run; the intervals at the start reach so far above the values."""
    rho = np.asarray(rho, dtype=float)
    path = pd.DataFrame({"step": STEPS, "tokens": 512 * STEPS, "validation_loss": 9.0 - STEPS / 50, "rho": rho})
    path["tau"] = rho * 0.8 if tau is None else tau
    path["late_half"] = 0.5 - STEPS / 1000 + seed / 100
    intervals = {f"{name}_interval": Interval(path[name][0] - reach, path[name][0] + reach) for name in ("rho", "tau")}
    return SimpleNamespace(label=label, seed=seed, path=path, look=lambda checkpoint: looks(checkpoint, intervals))


def looks(checkpoint, intervals):
    assert checkpoint == 0
    return SimpleNamespace(**intervals)


@pytest.fixture
def runs():
    falls = [0.9, 0.6, 0.1, -0.4]
    return [run(label, seed, np.array(falls) + seed / 50) for label in ("small", "large") for seed in (0, 1, 2)]


def test_labels_are_in_order(runs):
    assert fig4.labels(runs) == ["small", "large"]
    assert fig4.labels([]) == []


def test_band_is_mean_and_extremes(runs):
    table = fig4.band(runs, "small", "rho")
    assert table.tokens.tolist() == [0, 512, 5120, 51200]
    np.testing.assert_allclose(table["mean"], [0.92, 0.62, 0.12, -0.38])
    np.testing.assert_allclose(table.low, [0.9, 0.6, 0.1, -0.4])
    np.testing.assert_allclose(table.high, [0.94, 0.64, 0.14, -0.36])


def test_runs_with_other_checkpoints_are_refused(runs):
    runs[1].path["tokens"] *= 2
    with pytest.raises(ValueError, match="'small' have different checkpoints"):
        fig4.band(runs, "small", "rho")


def test_ends(runs):
    table = fig4.ends(runs)
    np.testing.assert_allclose(table.loc["small", "ρ"].tolist()[:3], [0.92, -0.38, -0.38])
    np.testing.assert_allclose(table.loc["large", "loss"].tolist()[:3], [9, 7, 7])
    assert table["start at 1"].tolist() == ["0 of 3", "0 of 3", "", ""] * 2
    assert fig4.ends([]).empty


def test_ends_counts_the_runs_whose_start_cannot_be_told_from_1():
    runs = [run("x", 0, [1.0, 0.5, 0.2, 0.1]), run("x", 1, [0.95, 0.5, 0.2, 0.1], reach=0.05)]
    table = fig4.ends([*runs, run("x", 2, [0.94, 0.5, 0.2, 0.1], reach=0.05)])
    assert table["start at 1"].tolist() == ["2 of 3", "0 of 3", "", ""]


def verdicts(runs):
    """Of rho and tau; the level has a test of its own."""
    return [claim.verdict.word for claim in fig4.claims(runs)[:-1]]


def test_claims_on_runs_as_the_paper_has_them(runs):
    assert verdicts(runs) == [REPRODUCED] * 6
    claims = fig4.claims(runs)
    points = paper.training_run()
    assert claims[2].published == f"{points.spearman.iloc[-1]:.2f} at the end"
    assert claims[2].here.startswith("small -0.38 [")
    assert [c.claim.split()[2] for c in claims] == ["ρ"] * 3 + ["τ"] * 3 + ["μ"]


def test_claims_on_runs_that_stay_positive():
    runs = [run("x", s, [0.9, 1.0, 0.8, 0.5 + s / 50], tau=[0.9, 0.8, 0.8, 0.5 + s / 50]) for s in (0, 1, 2)]
    assert verdicts(runs) == [NOT_REPRODUCED, REPRODUCED, NOT_REPRODUCED, REPRODUCED, REPRODUCED, NOT_REPRODUCED]


def test_claims_on_runs_of_which_half_start_highest():
    runs = [run("x", s, [0.9, later, 0.2, 0.1]) for s, later in ((0, 0.8), (1, 0.95))]
    assert verdicts(runs)[0] == PARTLY


def test_runs_that_start_at_1_are_no_evidence_that_the_start_is_highest():
    full = [run("x", s, [1.0, 1.0, 0.2, 0.1]) for s in (0, 1)]
    assert verdicts(full)[0] == NOT_TESTABLE
    claim = fig4.claims([*full, run("x", 2, [0.9, 1.0, 0.2, 0.1])])[0]
    assert claim.verdict.word == NOT_REPRODUCED
    assert claim.why == "highest in 0 of 1 runs; 2 more start at 1 and cannot tell"


def test_a_look_before_anything_has_changed_is_not_a_later_one(runs):
    for one in runs:
        one.path.loc[1] = one.path.loc[0]
    assert "later at most 0.600, 0.620" not in fig4.claims(runs)[0].here
    assert "later at most 0.100, 0.120" in fig4.claims(runs)[0].here


def test_the_level_may_rise_where_the_correlation_falls(runs):
    assert fig4.claims(runs)[-1].claim == "pocket: late-half μ is highest at initialisation"
    for one in runs:
        one.path["late_half"] = [0.1, 0.9, 0.5, 0.2]
    claim = fig4.claims(runs)[-1]
    assert claim.verdict.word == NOT_REPRODUCED
    assert claim.here.startswith("0.100, ")
    for one in runs:
        one.path["late_half"] = [0.9, 0.5, 0.2, 0.1]
    assert fig4.claims(runs)[-1].verdict.word == REPRODUCED
    assert fig4.claims([])[-1].verdict.word == NOT_TESTABLE


def test_one_run_has_no_interval(runs):
    assert verdicts(runs[:1]) == [REPRODUCED, NOT_TESTABLE, NOT_TESTABLE] * 2


def test_without_runs_nothing_is_testable():
    assert verdicts([]) == [NOT_TESTABLE] * 6


# --- the checkpoints of the paper -----------------------------------------------------------------------------------


def at(target, texts=4):
    """A measurement with about this rho: ranks from rising to falling."""
    depth = np.arange(33)
    rng = np.random.default_rng(0)
    noise = rng.permutation(33)
    mu = target * depth + (1 - abs(target)) * noise + rng.uniform(0, 1e-3, (texts, 33))
    none = np.zeros(33, dtype=int)
    settings = {"max_length": 8, "seed": 0}
    return Condensation("x", mu / 100, mu / 100, None, np.full(texts, 8), none, none, settings)


def test_every_published_checkpoint_has_a_revision():
    assert list(fig4.REVISIONS) == paper.training_run().checkpoint.tolist()
    assert len(set(fig4.REVISIONS.values())) == 13


def test_olmo_claims_without_the_hub_are_not_testable():
    claims = fig4.olmo_claims([])
    assert [c.verdict.word for c in claims] == [NOT_TESTABLE] * 4
    assert {c.why for c in claims} == {"the checkpoints are on the hub only: `--profile paper` measures them"}


def test_olmo_claims_on_a_run_that_stays_condensed():
    claims = fig4.olmo_claims([at(1.0)] * 13)
    assert [c.verdict.word for c in claims] == [NOT_REPRODUCED] * 4


def test_olmo_claims_on_a_run_that_turns():
    claims = fig4.olmo_claims([at(1.0)] * 12 + [at(-1.0)])
    assert [c.verdict.word for c in claims] == [NOT_REPRODUCED, REPRODUCED] * 2
    assert claims[1].here == "-1.00 [-1.00, -1.00]"


def test_part_of_the_checkpoints_is_not_the_run():
    assert [c.verdict.word for c in fig4.olmo_claims([at(1.0)] * 12)] == [NOT_TESTABLE] * 4
