"""Fig. 7: differences to no dose, and the claims on them."""

import numpy as np
import pytest
from made_runs import NO_CHECK, by_length, by_seed, committed

from decondense import paper, stats
from decondense.chapters import fig7
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED, SMALLER
from decondense.runs import MidTraining


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
    ("late", "loss", "expected"),
    [
        ({"0": [0.5, 0.501], "0.1": [0.4, 0.401], "1": [0.3, 0.301]}, {}, [REPRODUCED] * 4),
        # beyond 0 and far from half of what size does; the larger weight as asked; at a cost in loss
        ({"0": [0.7, 0.701], "0.1": [0.695, 0.6961], "1": [0.3, 0.301]}, {"1": 4.1},
         [CONTRADICTED, SMALLER, PARTLY, CONTRADICTED]),
        # two seeds that disagree say nothing, however large the mean
        ({"0": [0.5, 0.5001], "0.1": [0.5, 0.3], "1": [0.5, 0.2]}, {},
         [REPRODUCED, CANNOT_TELL, CANNOT_TELL, REPRODUCED]),
        ({"0": [0.5, 0.501], "0.1": [0.6, 0.6011], "1": [0.7, 0.7012]}, {},
         [REPRODUCED, CONTRADICTED, CONTRADICTED, REPRODUCED]),
    ],
)  # fmt: skip
def test_verdicts(late, loss, expected):
    claims = fig7.claims(runs(late, loss), NO_CHECK)
    assert [claim.verdict.word for claim in claims[:4]] == expected
    assert claims[1].claim.startswith("dispersion (weight 0.1)")
    assert claims[3].claim.startswith("validation loss at weight 1 ")
    assert claims[4].claim == "every check run agrees with its record"


def test_the_claim_is_against_default_training_and_the_run_itself_is_beside():
    claim = fig7.claims(runs({"0": [0.7, 0.702], "0.1": [0.6, 0.604]}), NO_CHECK)[1]
    assert claim.here.startswith("against default training -0.0990 [")
    assert "from its start to its end: +0.1020 [" in claim.here


def test_half_of_what_size_does_is_the_smallest_effect():
    means = {model: paper.mean_cosines("Fig2a", model).cosine_mean.to_numpy() for model in ("GPT2", "GPT2-xl")}
    size = means["GPT2-xl"][25:].mean() - means["GPT2"][7:].mean()  # entries L // 2 + 1 .. L
    assert paper.size_effect() == pytest.approx(size)
    table = fig7.power(5, 3)
    assert table["smallest effect"].tolist() == pytest.approx([size / 2, -0.01])
    assert table.seeds.tolist() == [5, 3]
    for seeds, smallest, spread in table.itertuples(index=False):
        assert stats.detectable_with(spread, seeds) == pytest.approx(abs(smallest))


def test_longer_runs_decide_on_the_figure_and_not_on_the_doses():
    short = runs({"0": [0.5, 0.501], "0.1": [0.5, 0.5011], "1": [0.4, 0.401]})
    longer = runs({"0": [0.7, 0.701], "0.1": [0.4, 0.4011]})
    claims = fig7.claims(short, NO_CHECK, longer)
    assert [claim.verdict.word for claim in claims[:2]] == [CONTRADICTED, REPRODUCED]
    assert claims[1].here.startswith("against default training -0.2999")
    assert claims[2].here.startswith("against none: weight 0.1: +0.0000")
    assert claims[3].verdict.word == REPRODUCED


def test_no_longer_runs_without_steps():
    assert fig7.longer(MidTraining(model="pocket-small", corpus="documentation", steps=5), 0.1) == []


def test_committed_runs_give_the_committed_verdicts():
    every, said, _ = committed("fig7", fig7.changes([0.1, 1.0, 10.0]))
    made, longer = by_length(every)
    assert [claim.as_dict() for claim in fig7.claims(made, NO_CHECK, longer)][:4] == said[:4]
