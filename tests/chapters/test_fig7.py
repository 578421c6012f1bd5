"""Fig. 7: differences to no dose, and the claims on them."""

import numpy as np
import pytest
from made_runs import NO_CHECK, by_seed, committed

from decondense.chapters import fig7
from decondense.paper.verdicts import NOT_REPRODUCED, PARTLY, REPRODUCED


def runs(late, loss=None):
    """Runs of six entries that begin with a late-half mu of 0.5 and end with one of `late`; by weight, one a seed."""
    made = by_seed(late, lambda end: {"mu": np.array([[0.3] * 4 + [0.5] * 3, [0.3] * 4 + [end] * 3])})
    for run in made:
        vars(run)["validation_loss"] = (loss or {}).get(run.label, 4.0)
    return made


def test_labels_are_weights():
    changes = fig7.changes([0.1, 10.0])
    assert list(changes) == [fig7.NO_DOSE, "0.1", "10"]
    assert changes["10"] == {"loss": "dispersion", "weight": 10.0}


def test_differences_are_paired_by_seed_and_the_loss_in_per_cent_of_no_dose():
    table = fig7.differences(runs({"0": [0.5, 0.6], "1": [0.4, 0.51]}, {"1": 4.1}))
    assert list(table.index) == ["weight 1"]
    assert table.loc["weight 1", "late-half μ"] == pytest.approx(-0.095)
    assert table.loc["weight 1", "validation loss, %"] == pytest.approx(2.5)
    assert table.low.item() < -0.095 < table.high.item()


@pytest.mark.parametrize(
    ("late", "loss", "failing"),
    [
        ({"0": [0.5, 0.501], "0.1": [0.4, 0.401], "1": [0.3, 0.301]}, {}, {}),
        ({"0": [0.7, 0.71], "0.1": [0.7, 0.71], "1": [0.3, 0.31]}, {"1": 4.1},
         {0: NOT_REPRODUCED, 1: NOT_REPRODUCED, 2: PARTLY, 3: NOT_REPRODUCED}),
        ({"0": [0.5, 0.5], "0.1": [0.4, 0.4], "1": [0.6, 0.6]}, {"0.1": 9.0}, {2: NOT_REPRODUCED}),
    ],
)  # fmt: skip
def test_verdicts(late, loss, failing):
    claims = fig7.claims(runs(late, loss), NO_CHECK)
    assert [claim.verdict.word for claim in claims[:4]] == [failing.get(number, REPRODUCED) for number in range(4)]
    assert claims[1].claim.startswith("dispersion (weight 0.1)")
    assert claims[3].claim.startswith("validation loss at weight 1 ")
    assert claims[4].claim == "every check run agrees with its record"


def test_committed_runs_give_the_committed_verdicts():
    made, said, _ = committed("fig7", fig7.changes([0.1, 1.0, 10.0]))
    assert [claim.as_dict() for claim in fig7.claims(made, NO_CHECK)][:4] == said[:4]
