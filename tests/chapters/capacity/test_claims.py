"""The claims follow from the runs: what is within the margin, beyond it, and what one seed cannot decide."""

import pandas as pd
import pytest

from decondense.chapters.capacity import claims, readings
from decondense.paper.verdicts import CONTRADICTED, NOT_TESTABLE, REPRODUCED

CHECK = pd.DataFrame({"quantity": ["bits"], "agrees": [True]})


@pytest.fixture
def judged(made, monkeypatch):
    """The verdicts for runs of these bits; the late half of a run is its thousandth part, in μ."""
    monkeypatch.setitem(readings.QUANTITIES, readings.LATE, lambda run: readings.held(run) / 10)

    def of(plain, other, facts=((500, 501), (500, 501)), rounded=((300, 301), (300, 301)), at_8=None, **more):
        sizes = {"one": {1.0: made.runs([b / 3 for b in plain], other), 3.6: made.runs(plain, other, **more)}}
        known = made.rounded(*facts, *rounded, at_8=at_8)
        found = claims.claims(sizes, {1.0: made.runs(*facts, kind="facts")}, known, CHECK)
        return {claim.claim: claim.verdict.word for claim in found}

    return of


def test_a_model_that_holds_what_is_published_and_no_other_with_the_loss(judged):
    known = ([500, 501, 502], [500, 502, 502])
    found = judged([3600, 3601, 3602], [3600, 3602, 3602], known, ([300, 301, 302], [300, 302, 303]))
    assert found["plain training stores as many bits of random tokens as published"] == REPRODUCED
    assert found["random tokens: dispersion does not change how many bits are stored in the same steps"] == REPRODUCED
    assert found["biographies: dispersion does not change how many facts are known"] == REPRODUCED
    assert found["random tokens: dispersion lowers late-half μ of a full model"] == CONTRADICTED
    assert found["random tokens: the more data, the lower late-half μ"] == CONTRADICTED
    assert found["biographies: dispersion loses less by rounding to 4 bits"] == CONTRADICTED
    assert found["biographies: plain training loses nothing at 8 bits"] == REPRODUCED
    assert found["every check run agrees with its record"] == REPRODUCED


def test_a_model_that_holds_less_and_loses_by_the_loss(judged):
    known = ([800, 801, 802], [400, 402, 402])
    found = judged([2500, 2501, 2502], [1500, 1502, 1502], known, ([100, 101, 102], [400, 402, 402]), at_8=700)
    assert found["plain training stores as many bits of random tokens as published"] == CONTRADICTED
    assert found["random tokens: dispersion does not change how many bits are stored in the same steps"] == CONTRADICTED
    assert found["biographies: dispersion does not change how many facts are known"] == CONTRADICTED
    assert found["random tokens: dispersion lowers late-half μ of a full model"] == REPRODUCED
    assert found["biographies: dispersion loses less by rounding to 4 bits"] == REPRODUCED
    assert found["biographies: plain training loses nothing at 8 bits"] == CONTRADICTED


@pytest.mark.parametrize(
    ("bits", "before", "word"),
    [(2500, 2400, NOT_TESTABLE), (2500, 2500, CONTRADICTED), (3600, 2400, REPRODUCED), (4500, 2400, CONTRADICTED)],
)
def test_runs_that_still_learn_do_not_contradict_a_larger_capacity(judged, bits, before, word):
    found = judged([bits, bits + 1, bits + 2], [bits, bits + 2, bits + 2], before=before)
    assert found["plain training stores as many bits of random tokens as published"] == word


def test_one_seed_decides_nothing(judged):
    found = judged([3600], [3600], ([500], [500]), ([300], [300]))
    assert set(found.values()) == {NOT_TESTABLE, REPRODUCED}  # the check run is reproduced
    assert list(found.values()).count(NOT_TESTABLE) == 7
