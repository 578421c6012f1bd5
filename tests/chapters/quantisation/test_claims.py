"""The claims follow from the runs: half saved, nothing to save, a gap that a rotation closes, one seed."""

import pandas as pd
import pytest

from decondense.chapters.quantisation import claims
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, REPRODUCED

CHECK = pd.DataFrame({"quantity": ["loss"], "agrees": [True]})
SEEDS = (0.0, 0.001, -0.001, 0.0005)


@pytest.fixture
def judged(made):
    """Verdicts for the mean cost of W2 of plain, spread and collapsed models, without and with a rotation."""

    def of(plain, spread, collapsed=0.2, turned=(0.1, 0.1), w4=0.0, seeds=SEEDS):
        costs = lambda w2, rotated: [{"W4": w4 + s / 10, "W2": w2 + s, "W2, rotated": rotated - 2 * s} for s in seeds]
        runs = made.runs("train", costs(plain, turned[0]), kurtosis=4.0)
        runs += made.runs("dispersion", [row | {"W2": row["W2"] + s / 2} for row, s in
                                         zip(costs(spread, turned[1]), seeds, strict=True)], kurtosis=1.0)  # fmt: skip
        runs += made.runs("collapsed", [row | {"W2": row["W2"] + s / 3} for row, s in
                                        zip(costs(collapsed, 0.1), seeds, strict=True)])  # fmt: skip
        aware = [run for run in runs if run.label != "collapsed"]
        found = claims.claims(runs, aware, ["W4", "W2"], ["W2"], CHECK)
        return {claim.claim: claim.verdict.word for claim in found}

    return of


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """What is rounded in training costs what W2 costs."""
    monkeypatch.setattr(claims, "TRAINED", "W2")


def test_spread_models_that_lose_half_reproduce_the_claim(judged):
    found = judged(0.1, 0.04)
    assert found["W2: spread models lose less"] == REPRODUCED
    assert found["W2: a rotation helps plain models more than spread ones"] == REPRODUCED
    assert found["W2: models collapsed on purpose lose more"] == REPRODUCED
    assert found["rounded in training: spread models lose less"] == REPRODUCED
    assert found["every check run agrees with its record"] == REPRODUCED


def test_spread_models_that_lose_more_contradict_it(judged):
    found = judged(0.1, 0.14, collapsed=0.05, turned=(0.1, 0.14))
    assert found["W2: spread models lose less"] == CONTRADICTED
    assert found["W2: a rotation helps plain models more than spread ones"] == CONTRADICTED
    assert found["W2: models collapsed on purpose lose more"] == CONTRADICTED


def test_where_nothing_is_lost_nothing_can_be_saved(judged):
    assert judged(0.1, 0.04)["W4: spread models lose less"] == NOT_TESTABLE


@pytest.mark.parametrize(("w4", "word"), [(0.02, REPRODUCED), (0.5, CONTRADICTED)])
def test_mu_is_as_it_was_within_the_margin(judged, w4, word):
    assert judged(0.1, 0.04, w4=w4)["4 bits leave late-half μ of plain models as it is"] == word


def test_one_seed_decides_nothing(judged):
    found = judged(0.1, 0.04, w4=0.02, seeds=(0.0,))
    assert list(found.values()).count(REPRODUCED) == 1  # the check run
    assert set(found.values()) == {NOT_TESTABLE, REPRODUCED}
