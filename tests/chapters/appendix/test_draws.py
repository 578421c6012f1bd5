"""Formulas against paddings that are drawn."""

import numpy as np
import pytest

from decondense.chapters.appendix import draws, factors, repetition

PAPER_M = 1600 - 768


@pytest.mark.parametrize(("before", "r", "m"), [(0.7, 1.0, 3), (0.7, 3.0, 20), (-0.4, 27.7, PAPER_M), (0.0, 1.0, 2)])
def test_formulas_meet_simulation(before, r, m):
    found = draws.simulate_padding(before, r, m, draws=20_000, seed=1)
    error, square_error = ((high - low) / 2 / 1.96 for low, high in (found.interval, found.square_interval))
    assert abs(found.mean - before * factors.padding_factor(r, m)) < 4 * error
    assert abs(found.square - factors.second_moment(before, r, m)) < 4 * square_error


def test_two_norms_give_the_product():
    rng = np.random.default_rng(0)
    x, y = draws.pair(0.6, 1.0)
    u, v = rng.standard_normal((2, 40_000, 4))
    padded = [np.hstack([np.tile(z, (40_000, 1)), w]) for z, w in ((x, u), (3 * y, v))]
    found = repetition.cosine(*padded)
    expected = 0.6 * factors.shrinkage(1.0, 4) * factors.shrinkage(3.0, 4)
    assert abs(found.mean() - expected) < 4 * found.std() / 200


def test_same_padding_for_both_raises_the_cosine():
    rng = np.random.default_rng(0)
    padded = [
        np.hstack([np.tile(z, (20_000, 1)), u])
        for u in [rng.standard_normal((20_000, 6))]
        for z in draws.pair(0.2, 2.0)
    ]
    found = repetition.cosine(*padded)
    assert abs(found.mean() - factors.shared_padding(0.2, 2.0, 6)) < 4 * found.std() / 20_000**0.5
    assert found.mean() > 0.2


def test_monte_carlo_has_a_row_a_pair():
    table = draws.monte_carlo([0.0, 1.0], [1.0, 9.0], 5, draws=700)
    assert table.before.tolist() == [0, 0, 1, 1]
    assert ((table.low < table["mean"]) & (table["mean"] < table.high)).all()
    assert table.formula.tolist()[2:] == pytest.approx([factors.padding_factor(r, 5) for r in (1.0, 9.0)])


def test_of_tokens_has_the_norms_of_a_model(small_pocket):
    small_pocket += 2 * small_pocket  # long enough for a text
    found = draws.of_tokens("pocket-small", "documentation", 16, max_length=24, sources=[], train_tokens=0)
    assert found.index.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.factor, factors.padding_factor(found["median norm"].to_numpy(), 16))
    assert found["median norm"].iloc[-1] == pytest.approx(32**0.5, rel=0.01)  # two heads of 16, after the final norm
