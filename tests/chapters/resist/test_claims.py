"""The claims follow from the runs: what resists, what it costs, and what one seed cannot decide."""

import pandas as pd
import pytest

from decondense.chapters.resist import claims
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED

CHECK = pd.DataFrame({"quantity": ["loss"], "agrees": [True]})
CURVES = {"pre-norm": [0.1, 0.5], "post-norm": [0.1, 0.2]}


def of_experts(first):
    """Two blocks with `first` as their mean difference; that of the second is as far below 0."""
    second = -first
    return {"all": [0.1, 0.1], "expert": [0.1 + 2 * first - second, 0.1 + second], "largest": [1, 1]}


@pytest.fixture
def judged(made, numbers):
    def of(post, parallel=(0.2, 4.0, (0.1, 3.9)), experts=0.1, measured=CURVES, seeds=4):
        found = {
            "pre-norm": made.runs(0.2, 4.0, (0.1, 3.9), seeds),
            "post-norm": made.runs(*post, seeds),
            "parallel": made.runs(*parallel, seeds),
        }
        mixtures = [made.run(seed=seed, experts=of_experts(experts + seed / 1000)) for seed in range(max(1, seeds - 1))]
        untrained = [made.run(seed=run.seed, experts=of_experts(0.0)) for run in mixtures]
        made_of = claims.claims(found, mixtures, untrained, CURVES, measured, CHECK)
        return {claim.claim: claim for claim in made_of}, claims.resisting(found) if seeds > 2 else None

    return of


def test_a_design_that_resists_for_nothing(judged):
    found, resisting = judged((0.1, 4.0, (0.02, 3.9)))
    words = {name: claim.verdict.word for name, claim in found.items()}
    assert resisting == ["post-norm"]
    assert words["post-norm: late-half μ lower than that of pre-norm"] == REPRODUCED
    assert words["parallel: late-half μ lower than that of pre-norm"] != REPRODUCED
    assert words["no design that resists has a higher validation loss"] == REPRODUCED
    assert words["dispersion lowers late-half μ in every design"] == REPRODUCED
    assert words["dispersion lowers the validation loss of every design"] == REPRODUCED
    assert words["before training, the recursion gives μ of every design"] == REPRODUCED
    assert (
        words["mixture of experts: training makes the tokens that one expert sees more alike, beside all tokens"]
        == REPRODUCED
    )
    assert [words[name] for name in words if "without the first block" in name] == [CONTRADICTED]
    assert found["no design that resists has a higher validation loss"].here.startswith("post-norm ")


def test_a_design_that_pays_and_a_loss_that_does_nothing_there(judged):
    found, _ = judged((0.1, 4.5, (0.1, 4.6)), experts=-0.1, measured=CURVES | {"post-norm": [0.1, 0.3]})
    words = {name: claim.verdict.word for name, claim in found.items()}
    assert words["no design that resists has a higher validation loss"] == CONTRADICTED
    assert words["dispersion lowers late-half μ in every design"] == PARTLY
    assert words["before training, the recursion gives μ of every design"] == PARTLY
    assert (
        words["mixture of experts: training makes the tokens that one expert sees more alike, beside all tokens"]
        == CONTRADICTED
    )


def test_nothing_resists(judged):
    found, resisting = judged((0.25, 4.0, (0.1, 3.9)))
    assert resisting == []
    assert found["no design that resists has a higher validation loss"].verdict.word == NOT_TESTABLE


def test_one_seed_decides_nothing(judged):
    found, _ = judged((0.1, 4.0, (0.02, 3.9)), seeds=1)
    words = [claim.verdict.word for claim in found.values()]
    assert words.count(NOT_TESTABLE) == len(words) - 2  # the recursion and the check run
