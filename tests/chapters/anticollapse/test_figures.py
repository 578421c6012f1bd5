"""The figures draw what the tables hold."""

import pandas as pd
import pytest

from decondense.chapters.anticollapse import figures


def test_the_matrix_is_drawn_with_its_numbers():
    table = pd.DataFrame([[1.0, -0.25], [-0.25, 1.0]], index=["a", "b"], columns=["a", "b"])
    axis = figures.alike(table).axes[0]
    assert [text.get_text() for text in axis.texts] == ["1.0", "-0.2", "-0.2", "1.0"]
    assert axis.images[0].get_array().tolist() == table.to_numpy().tolist()


def test_spread_is_drawn_against_loss_with_a_label_each(made_training):
    axis = figures.pareto(made_training.made()).axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["a", "b", "train", "train, dropout"]
    places = {text.get_text(): text.xy for text in axis.texts}
    assert places["a"] == pytest.approx((0.2, 4.9))
    assert places["train"] == pytest.approx((0.3, 5.0))


def test_a_loss_that_ruins_training_is_named_and_does_not_squeeze_the_others(made_training):
    runs = made_training.made()
    runs += [made_training.run("ruin", seed, 9.0, regulariser="isoscore", late=0.99) for seed in range(8)]
    axis = figures.pareto(runs).axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["a", "b", "train", "train, dropout"]
    assert axis.get_title(loc="right") == "beyond the axes:\nruin: μ 0.99, loss 9.00"
    assert axis.get_ylim()[1] < 6
