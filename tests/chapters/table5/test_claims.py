"""Claims on what dispersion does, by the smallest effects of the design."""

import numpy as np
import pandas as pd
import pytest
from made_runs import NO_CHECK, Known, committed

from decondense import paper
from decondense.chapters.table5 import claims
from decondense.evaluate import Evaluation
from decondense.paper import designs
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, REPRODUCED, SMALLER

DESIGN = designs.load("table5")
HALF = 0.5 * paper.size_effect()


def run(label, seed, gain=0.0, task="pocket_cloze"):
    """`gain` 1: what the design asks for, in each quantity, plus some noise that is the seed's and the item's."""
    ours, rng = gain if label == "dispersion" else 0.0, np.random.default_rng([seed, label == "train"])
    logprob = -2 + ours * DESIGN.primary.smallest + rng.normal(0, 0.01, 200)
    items = pd.DataFrame({"task": task, "score": np.arange(200) < 50 + 10 * ours + seed, "logprob": logprob})
    wobble = rng.normal(0, 1e-4)
    mu = np.full((1, 7), 0.5 + ours * HALF + wobble)
    loss = 5.0 + ours * DESIGN.secondary.smallest + wobble
    return Known(label, seed, evaluation=Evaluation(items.astype({"score": float}), {}), mu=mu, validation_loss=loss)


def found(gain, seeds=5, **how):
    runs = [run(label, seed, gain, **how) for label in ("train", "dispersion") for seed in range(seeds)]
    return claims.claims({"GPT-2": runs}, NO_CHECK)


@pytest.mark.parametrize(("gain", "word"), [(1.0, REPRODUCED), (0.3, SMALLER), (-0.2, CONTRADICTED)])
def test_verdicts(gain, word):
    words = [claim.verdict.word for claim in found(gain)]
    assert words[0] == words[2] == words[3] == word
    assert words[1] == NOT_TESTABLE  # not the paper's benchmarks


def test_what_is_asked_for_is_in_the_rule():
    likelihood, accuracy, late, loss, *_ = found(1.0)
    assert (likelihood.source, accuracy.source, loss.source) == ("Table 5", "Table 5", "this book")
    assert likelihood.published == "+1.17 points of accuracy, one run each"
    assert likelihood.rule.startswith(f"smallest effect that counts {DESIGN.primary.smallest:+.3g}: ")
    assert late.rule.startswith(f"smallest effect that counts {HALF:+.3g}: half of GPT2-xl minus GPT2")
    assert "pocket_cloze 26.0 %" in accuracy.verdict.why
    assert "points with a chance of 80%" in accuracy.power or not accuracy.power


def test_on_the_papers_benchmarks_the_accuracy_is_asked_for_the_published_gain():
    accuracy = found(1.0, task="piqa")[1]
    assert accuracy.verdict.word == REPRODUCED
    assert accuracy.rule == "smallest effect that counts +1.17: the published gain"


def test_one_seed_is_not_testable():
    words = [claim.verdict.word for claim in found(1.0, seeds=1, task="piqa")]
    assert words[:5] == [NOT_TESTABLE] * 5


CHANGES = {"train": {}, "dispersion": {"loss": "dispersion", "weight": 0.1}}


def test_committed_runs_give_the_committed_verdicts():
    every, said, _ = committed("table5", CHANGES)
    ours = lambda run: (
        run.config["experiment"] == "table5" and run.config["shape"].get("n_embd") == 32 and run.seed < 100
    )
    runs = {"GPT-2": [run for run in every if ours(run)]}
    assert [claim.as_dict() for claim in claims.claims(runs, NO_CHECK)][:5] == said[:5]
