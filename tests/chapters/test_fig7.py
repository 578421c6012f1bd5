"""Fig. 7: differences to no dose, and the claims on them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from looked_at import looked_at
from made_condensations import made
from made_runs import NO_CHECK, by_length, by_seed, committed

from decondense import paper, stats
from decondense.chapters import fig7
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, PARTLY, REPRODUCED, SMALLER
from decondense.runs import MidTraining


def runs(late, loss=None):
    """Runs of six entries that begin with a late-half mu of 0.5 and end with one of `late`; by weight, one per seed."""
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


# --- figure -----------------------------------------------------------------------------------------------------------


def with_looks(late):
    """`runs` with a path and, at the last entry, a histogram that is a block of cosines around one half of `late`."""
    found = runs(late)
    for run in found:
        densities = np.zeros((2, 7, 16))
        densities[0, :, 12:14], densities[1, :, 10:12] = 4.0, 4.0
        look = lambda checkpoint=-1, run=run, densities=densities: made(
            run.mu[[checkpoint]], histogram=densities[checkpoint]
        )
        vars(run).update(path=pd.DataFrame({"step": [0, 24]}), look=look)
    return found


def test_change_map_is_the_mean_over_the_seeds_of_each_checkpoint_and_entry():
    table = fig7.change_map(with_looks({"0": [0.5, 0.6], "1": [0.4, 0.51]}), "1")
    assert table.index.tolist() == [0, 24]
    np.testing.assert_allclose(table.loc[0], 0)
    np.testing.assert_allclose(table.loc[24], [0] * 4 + [-0.095] * 3)


def test_difference_map_has_the_map_and_a_curve_a_weight():
    made_here = with_looks({"0": [0.5, 0.6], "0.1": [0.5, 0.6], "1": [0.4, 0.51]})
    figure = looked_at(fig7.difference_map(made_here, "1"))
    left, right = figure.axes[:2]
    np.testing.assert_allclose(left.images[0].get_array(), fig7.change_map(made_here, "1"))
    low, high = left.images[0].get_clim()
    assert (low, high) == pytest.approx((-0.095, 0.095))  # no change is white
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["0", "24"]
    curves = {patch.get_label(): patch.get_data() for patch in right.patches}
    assert list(curves) == ["before training", "default loss", "dispersion, weight 0.1", "dispersion, weight 1"]
    assert np.flatnonzero(curves["before training"].values).tolist() == [12, 13]
    assert np.flatnonzero(curves["dispersion, weight 1"].values).tolist() == [10, 11]
    assert plt.get_fignums() == []


def test_a_map_without_any_change_has_limits():
    figure = fig7.difference_map(with_looks({"0": [0.5], "1": [0.5]}), "1")
    assert figure.axes[0].images[0].get_clim() == (-1, 1)
