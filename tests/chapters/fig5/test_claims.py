"""The rule has a case for every verdict; the committed verdicts are those of the committed runs."""

import numpy as np
import pytest
from made_runs import NO_CHECK, committed
from made_students import KINDS, result, taught

from decondense import records
from decondense.chapters.fig5 import students
from decondense.chapters.fig5.claims import CLOSER, claims, pair_claims
from decondense.chapters.fig5.pairs import PAIRS
from decondense.paper.claims import EXPERIMENT, OWN, judged
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.runs.run import Run


def test_pair_claims_are_of_the_pairs_that_were_measured(condensation):
    first, second = PAIRS[:2]
    results = [result(condensation, first.plain, 0.0), result(condensation, first.distilled, -1.0)]
    results += [result(condensation, second.plain, 0.0), result(condensation, "gpt2", 0.0)]
    for claim in judged(pair_claims(results)):
        assert claim.verdict.word == CONTRADICTED
        assert claim.here.startswith("1.5B -")
    same = [result(condensation, name, 0.0) for name in (second.plain, second.distilled)]
    assert {claim.verdict.word for claim in judged(pair_claims(same))} == {REPRODUCED}
    both = judged(pair_claims(results[:2] + same))
    assert {claim.verdict.word for claim in both} == {PARTLY}
    assert "7B +0.000 [+0.000, +0.000]" in both[0].here


def test_without_models_the_claims_are_not_testable():
    rho, tau = judged(pair_claims([]))
    assert (rho.verdict.word, tau.verdict.word) == (NOT_TESTABLE, NOT_TESTABLE)
    assert (rho.here, rho.source) == ("none of them", "Fig. 5b")
    assert rho.published == (
        "1.5B +0.000; 7B -0.034; 14B +0.078; 32B +0.231, each ± 0.004 (by this rule, with that for the interval: "
        "reproduced)"
    )
    assert "1.5B -0.010; 7B -0.025" in tau.published
    assert (rho.claim, tau.claim) == tuple(
        f"distilled models: {name} not lower by what counts" for name in ("Spearman ρ", "Kendall τ")
    )
    assert (rho.repeats, bool(tau.repeats)) == ("", True)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ((0.0, 1.0), [REPRODUCED] * 4),
        ((-1.0, 3.0), [CONTRADICTED] * 4),
        ((-0.05, 1.0), [REPRODUCED] * 4),  # lower, and not by as much as counts
    ],
)
def test_verdicts(condensation, logits, expected):
    runs = taught(condensation, **KINDS | {"logits": logits})
    found = claims([], runs, NO_CHECK)
    assert [claim.verdict.word for claim in found[2:6]] == expected
    assert [claim.as_dict()["kind"] for claim in found[2:6]] == [EXPERIMENT] * 2 + [OWN] * 2
    assert "not beyond -0.2" in found[2].rule
    assert found[6].claim == "every check run agrees with its record"


def shape(blocks):
    return {"architecture": "GPT2Config", "n_embd": 32, "n_layer": blocks, "n_head": 2}


def kinds(blocks):
    asked = students.kinds("pocket-medium", share=0.5, temperature=2.0, weight=0.1)
    return {label: asked[label] | {"shape": shape(blocks)} for label in students.ASKED}


def test_the_smallest_divergence_that_counts_is_a_tenth_of_the_pilot_s():
    asked, found = kinds(6)[students.BASELINE], []
    for path in records.committed_folder().glob("fig5-gpt2-train-seed*.json"):
        record = records.read(path)
        config = record.content["config"]
        if config | asked == config:
            found.append(Run("", config["seed"], record).curve["loss_distillation"].iloc[-1])
    assert len(found) == 3
    assert np.mean(found) / -10 == pytest.approx(CLOSER, abs=5e-4)


def test_committed_runs_give_the_committed_verdicts():
    runs, said, _ = committed("fig5", kinds(12))
    found = claims([], runs, NO_CHECK)
    assert [claim.as_dict() for claim in found][:6] == said[:6]
