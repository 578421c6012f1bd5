"""The claims follow from the runs: within the margin or beyond it, and what too few runs cannot decide."""

import pandas as pd
import pytest

from decondense.chapters.posttraining import claims
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, REPRODUCED, SMALLER

CHECK = pd.DataFrame({"quantity": ["kl_text"], "agrees": [True]})
AT = 0.03


@pytest.fixture
def judged(made, tmp_path):
    def of(plain, other, at=AT, **more):
        found = {m: made.runs(tmp_path, plain, other, method=m, **more) for m in ("sft", "dpo", "grpo")}
        return {claim.claim: claim.verdict.word for claim in claims.claims(found, at, CHECK)}

    return of


def test_training_that_leaves_the_cosine_and_a_loss_that_lowers_it(judged):
    found = judged([0.6, 0.601, 0.599], [0.4, 0.401, 0.402], rank=(10.0, 11.0, 11.0))
    for method in ("SFT", "DPO", "GRPO"):
        assert found[f"{method} leaves late-half μ of neutral text where it was"] == REPRODUCED
        assert found[f"{method} with dispersion: lower late-half μ at equal divergence"] == REPRODUCED
    assert found["every check run agrees with its record"] == REPRODUCED
    assert len(found) == 10


def test_training_that_lowers_the_cosine_and_a_loss_that_does_little(judged):
    found = judged([0.3, 0.301, 0.302], [0.299, 0.298, 0.299])
    assert found["SFT leaves late-half μ of neutral text where it was"] == CONTRADICTED
    assert found["GRPO with dispersion: lower late-half μ at equal divergence"] in (SMALLER, CONTRADICTED)


def test_the_rank_is_expected_to_rise_but_under_reinforcement_learning(judged, made, tmp_path):
    ranks = [(10.0, 11.0, end) for end in (12.0, 12.1, 12.2)]
    runs = [made.run(tmp_path, seed=seed, rank=rank) for seed, rank in enumerate(ranks)]
    runs += [made.run(tmp_path, "dispersion", seed, rank=rank) for seed, rank in enumerate(ranks)]
    found = claims.claims(dict.fromkeys(("sft", "dpo", "grpo"), runs), AT, CHECK)
    words = {claim.claim: claim.verdict.word for claim in found}
    assert words["SFT raises the effective rank across texts"] == REPRODUCED
    assert words["DPO raises the effective rank across texts"] == REPRODUCED
    assert words["GRPO lowers the effective rank across texts"] == CONTRADICTED


@pytest.mark.parametrize(("plain", "at"), [([0.6], AT), ([0.6, 0.61, 0.6], 0.5)])
def test_one_run_or_runs_that_do_not_come_as_far_decide_nothing(judged, plain, at):
    found = judged(plain, plain, at)
    assert list(found.values()).count(NOT_TESTABLE) == 9
