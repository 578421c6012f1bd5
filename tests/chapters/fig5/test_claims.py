"""The rule has a case for every verdict; the committed verdicts are those of the committed runs."""

import pytest
from made_runs import NO_CHECK, committed
from made_students import KINDS, result, taught

from decondense.chapters.fig5.claims import claims, pair_claims
from decondense.chapters.fig5.pairs import PAIRS
from decondense.condensation import Condensation
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED


def test_pair_claims_are_of_the_pairs_that_were_measured(condensation):
    first, second = PAIRS[:2]
    results = [result(condensation, first.plain, 0.0), result(condensation, first.distilled, -1.0)]
    results += [result(condensation, second.plain, 0.0), result(condensation, "gpt2", 0.0)]
    for claim in pair_claims(results):
        assert claim.verdict.word == NOT_REPRODUCED
        assert claim.here.startswith("1.5B [-")
    same = [result(condensation, name, 0.0) for name in (second.plain, second.distilled)]
    assert {claim.verdict.word for claim in pair_claims(same)} == {REPRODUCED}
    both = pair_claims(results[:2] + same)
    assert {claim.verdict.word for claim in both} == {PARTLY}
    assert "7B [+0.000, +0.000]" in both[0].here


def test_without_models_the_claims_are_not_testable():
    rho, tau = pair_claims([])
    assert (rho.verdict.word, tau.verdict.word) == (NOT_TESTABLE, NOT_TESTABLE)
    assert (rho.here, rho.source) == ("none of them", "Fig. 5b")
    assert rho.published.startswith(
        "1.5B +0.000; 7B -0.034; 14B +0.078; 32B +0.231, each ± 0.004 (by this rule: partly"
    )
    assert "1.5B -0.010; 7B -0.025" in tau.published
    assert (rho.claim, tau.claim) == ("distilled models: Spearman ρ not lower", "distilled models: Kendall τ not lower")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [REPRODUCED] * 7),
        ({"logits": (-1.0, 3.0)}, [NOT_REPRODUCED] * 2 + [REPRODUCED] * 2 + [NOT_REPRODUCED] * 2 + [REPRODUCED]),
        ({"hidden states": (-1.0, 1.0)}, [REPRODUCED] * 2 + [NOT_REPRODUCED] * 2 + [REPRODUCED] * 2 + [NOT_REPRODUCED]),
    ],
)
def test_verdicts(condensation, changed, expected):
    runs = taught(condensation, **KINDS | changed)
    found = claims([], runs, result(condensation, "teacher", 0.5), NO_CHECK)
    assert [claim.verdict.word for claim in found[2:9]] == expected
    assert found[9].claim == "every check run agrees with its record"


def test_committed_runs_give_the_committed_verdicts():
    logits = {"teacher": "pocket-medium", "kind": "logits", "share": 0.5, "temperature": 2.0}
    changes = {
        "cross-entropy": {"distillation": logits | {"share": 0.0}},
        "logits": {"distillation": logits},
        "logits + dispersion": {"distillation": logits, "loss": "dispersion"},
        "hidden states": {"distillation": logits | {"kind": "hidden", "temperature": None}},
    }
    runs, said, (teacher,) = committed("fig5", changes)
    found = claims([], runs, Condensation.load(teacher.arrays), NO_CHECK)
    assert [claim.as_dict() for claim in found][:9] == said[:9]
