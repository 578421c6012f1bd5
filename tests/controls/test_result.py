"""`Controls`: values and intervals from the pair matrix, and what a file may hold."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from made_controls import gathered

from decondense.controls import Controls, result
from decondense.controls.quantities import PER_TEXT

FEATURES = 8


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    return gathered([rng.normal(size=(4, 10, FEATURES)) + rng.normal(size=FEATURES) + 1 for _ in range(9)])


def of_means(means):
    """Controls of nothing but the mean unit vectors of texts: (simulations, texts, features)."""
    pairs = means @ means.swapaxes(1, 2)
    pairs *= 1 - np.eye(means.shape[1])
    pairs = np.concatenate([pairs, pairs[:1]])  # the last row is before the final norm
    within = np.zeros((1, means.shape[1], len(pairs)))
    return Controls(("within",), within, ("",), pairs[None], np.zeros(len(pairs)), seed=0)


def test_the_interval_between_texts_covers_what_it_should():
    """400 samples of 20 texts whose mean vectors scatter about mu: the truth is ||mu||^2."""
    rng = np.random.default_rng(0)
    mu = np.full(FEATURES, 0.5 / FEATURES**0.5)
    means = mu + 0.2 / FEATURES**0.5 * rng.normal(size=(400, 20, FEATURES))
    low, high = of_means(means).interval("between")
    covered = ((low <= 0.25) & (high >= 0.25)).mean()
    assert 0.88 <= covered <= 0.98


def test_the_interval_is_about_as_wide_as_samples_scatter():
    rng = np.random.default_rng(1)
    means = 0.3 + 0.1 * rng.normal(size=(400, 20, FEATURES))
    found = of_means(means)
    low, high = found.interval("between")
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * found["between"].std(), rel=0.15)


def test_a_text_drawn_twice_makes_no_pair_with_itself():
    means = np.eye(4)[None]  # any pair of different texts has 0, and a text with itself 1
    assert (of_means(means).resampled("between") == 0).all()


def test_resampled_pairs_are_those_of_brute_force(found):
    draws = result._draws(9, 0)
    numbers = found.pairs[0, 1]
    for draw, value in zip(draws[:20], found.resampled("between")[:20, 1], strict=True):
        texts = np.repeat(np.arange(9), draw)
        pairs = [numbers[s, t] for s, t in combinations(texts, 2) if s != t]
        assert value == pytest.approx(np.mean(pairs))


def test_other_draws_than_its_own_give_the_same_quantities(found):
    draws = result._draws(9, 0)
    for name in ("within", "between", "excess", "to_mean_rare"):
        np.testing.assert_array_equal(found.at_draws(name, draws), found.resampled(name))
    once = np.ones((1, 9), dtype=int)
    np.testing.assert_allclose(found.at_draws("excess", once)[0], found["excess"])
    alone = np.eye(9, dtype=int)
    assert np.isnan(found.at_draws("between", alone)).all()
    with pytest.raises(KeyError, match="not measured"):
        found.at_draws("between_different_ids", once)


def test_excess_is_resampled_with_the_same_texts(found):
    difference = found.resampled("within") - found.resampled("between")
    np.testing.assert_allclose(found.resampled("excess"), difference)
    assert (found.interval("excess").low < found["excess"]).all()
    assert (found["excess"] < found.interval("excess").high).all()


def test_the_draws_are_those_of_mu(condensation):
    values = condensation.mu_per_text
    made = Controls(
        ("within",), np.concatenate([values, values[:, :1]], 1)[None], (), np.empty((0, 6, 6, 6)), np.zeros(6), 0
    )
    np.testing.assert_allclose(made.resampled("within"), condensation.resampled_mu)


def test_resamples_without_a_pair_of_the_same_third_are_left_out():
    rng = np.random.default_rng(0)
    found = gathered([rng.normal(size=(2, 8, FEATURES)) for _ in range(4)])  # a third of one text, and the rest
    draws = found.resampled("between_centred")
    assert 0 < len(draws) < len(found.resampled("within")) == 2000
    assert np.isfinite(draws).all()


@pytest.mark.parametrize(
    ("texts", "name", "there"),
    [(3, "between", True), (2, "between", False), (3, "between_centred", False), (2, "within", True)],
)
@pytest.mark.filterwarnings("ignore:.*Give three texts")
def test_fewer_than_three_pairs_have_no_interval(texts, name, there):
    rng = np.random.default_rng(0)
    found = gathered([rng.normal(size=(2, 8, FEATURES)) for _ in range(texts)])
    assert np.isfinite(found.interval(name)).all() == there


def test_the_seed_is_that_of_the_draws(found):
    assert not np.array_equal(found.resampled("between"), replace(found, seed=1).resampled("between"))


def test_an_unknown_name_says_which_there_are(found):
    for ask in (found.__getitem__, found.interval, found.of_texts, found.before_final_norm):
        with pytest.raises(KeyError, match="'betwixt': not measured; there are within, "):
            ask("betwixt")
    with pytest.raises(KeyError):
        found.of_texts("between")


def test_it_prints_as_one_line(found):
    assert repr(found) == f"<Controls: {len(found.quantities)} quantities, 9 texts, 3 entries>"


def test_the_arrays_of_controls_give_them_back(found):
    arrays = found.arrays()
    result.check(arrays, 9, 3)
    again = Controls.of_arrays(arrays, found.seed)
    assert (again.names, again.views) == (found.names, found.views)
    for name in found.quantities:
        np.testing.assert_array_equal(again[name], found[name])


BROKEN = {  # what is changed -> what is said
    "absent": (lambda a: a.pop("pairs"), "no pairs"),
    "other names": (lambda a: a.update(names=np.array(["a"] * len(PER_TEXT))), "names of its controls"),
    "names as numbers": (lambda a: a.update(names=np.zeros(3)), "names of its controls"),
    "names in a scalar": (lambda a: a.update(views=np.array("within")), "views of its controls"),
    "other views": (lambda a: a.update(views=a["views"][:-1]), "views of its controls"),
    "another number of texts": (lambda a: a.update(per_text=a["per_text"][:, 1:]), "per_text of its controls is"),
    "another number of rows": (lambda a: a.update(pairs=a["pairs"][:, 1:]), "pairs of its controls is"),
    "integers": (lambda a: a.update(pairs=a["pairs"].astype(int)), "pairs of its controls is int64"),
    "a cosine of 2": (lambda a: a.update(per_text=a["per_text"] * 0 + 2), "not within"),
    "a pair of 2": (lambda a: a.update(pairs=a["pairs"] * 0 + 2), "not within"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_arrays_that_are_none_are_refused(found, change, said):
    arrays = found.arrays()
    change(arrays)
    with pytest.raises(ValueError, match=said):
        result.check(arrays, 9, 3)
