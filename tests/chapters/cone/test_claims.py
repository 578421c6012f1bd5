"""Verdicts on made-up models and runs that have, or have not, what is claimed."""

import numpy as np
import pytest
from made_runs import NO_CHECK

from decondense.chapters.cone import claims
from decondense.paper.claims import OWN
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, REPRODUCED

EFFECTS = {"late": (0.3, 0.1), "loss": (5.0, 4.8)}  # plain, with a loss


def runs(made, late=EFFECTS["late"], loss=EFFECTS["loss"], before=(0.05, 0.1), after=(0.4, 0.12), seeds=5):
    """Runs of plain training and of one loss, with a little noise over the seeds."""
    rng = np.random.default_rng(0)
    noisy = lambda value: value + 0.002 * rng.normal()
    return [
        made.run(label, seed, noisy(late[n]), noisy(loss[n]), before, tuple(map(noisy, after)))
        for n, label in enumerate(("train", "dispersion"))
        for seed in range(seeds)
    ]


def found(made, **changed):
    given = {
        "trained": {"a": made.result(shared=1.2, rare=0.6)},
        "untrained": {"a": made.result(own=1.5)},
        "encoders": {"e": made.result(own=1.5)},
        "pair": [made.result(shared=0.8, own=1.5, few=False, name="small"), made.result(own=0.4, name="large")],
        "runs": runs(made),
    } | changed
    return {claim.claim: claim for claim in claims.claims(**given, check=NO_CHECK)}


def test_all_that_is_claimed_is_found_where_it_is(made):
    every = found(made)
    assert len(every) == 12
    assert {name: c.verdict.word for name, c in every.items() if c.verdict.word != REPRODUCED} == {}
    assert {claim.as_dict()["kind"] for claim in list(every.values())[:-1]} == {OWN}


@pytest.mark.parametrize(
    ("start", "changed"),
    [
        ("pretrained language models: most", {"trained": {"shared": 0.2, "own": 1.5}}),
        ("pretrained language models: without the top 3", {"trained": {"shared": 1.2, "few": False}}),
        ("pretrained language models: rare", {"trained": {"shared": 1.2, "rare": -0.5}}),
        ("with first weights", {"untrained": {"shared": 1.2}}),
        ("sentence encoders", {"encoders": {"shared": 1.2}}),
    ],
)
def test_a_model_without_it_is_told(made, start, changed):
    ((which, how),) = changed.items()
    every = found(made, **{which: {"a": made.result(**how)}})
    assert next(c for name, c in every.items() if name.startswith(start)).verdict.word == CONTRADICTED


@pytest.mark.parametrize(
    ("start", "changed"),
    [
        ("training makes texts share more", {"after": (0.05, 0.1)}),
        ("dispersion: lower late-half", {"late": (0.3, 0.3)}),
        ("dispersion: lower validation", {"loss": (5.0, 5.1)}),
    ],
)
def test_runs_without_it_are_told(made, start, changed):
    every = found(made, runs=runs(made, **changed))
    assert next(c for name, c in every.items() if name.startswith(start)).verdict.word == CONTRADICTED


def test_a_larger_model_with_more_is_told(made):
    small, large = made.result(own=0.4, name="small"), made.result(shared=0.8, own=1.5, few=False, name="large")
    every = found(made, pair=[small, large])
    words = [c.verdict.word for name, c in every.items() if name.startswith("the larger of two")]
    assert words == [CONTRADICTED] * 3


def test_what_is_missing_is_not_testable(made):
    every = found(made, trained={}, encoders={}, pair=[], runs=runs(made, seeds=1))
    words = [c.verdict.word for name, c in every.items() if not name.startswith(("with first", "check"))]
    assert set(words[:-1]) == {NOT_TESTABLE}
