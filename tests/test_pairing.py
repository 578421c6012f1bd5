"""Paired differences against brute force over explicit draws of texts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_condensations import made
from made_controls import gathered
from scipy import stats

from decondense import metrics, pairing
from decondense.stats import RESAMPLES, mean_and_interval


@pytest.fixture
def two():
    rng = np.random.default_rng(1)
    hard = rng.uniform(0, 0.4, (12, 1))  # a text that is hard for one is hard for both
    level = 0.3 + hard + np.linspace(0, 0.3, 5)
    return made(level + rng.normal(0, 0.01, (12, 5)), "a"), made(level + 0.05 + rng.normal(0, 0.01, (12, 5)), "b")


def test_brute_force_over_the_same_draws(two):
    a, b = two
    found = pairing.compare(a, b)
    draws = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=RESAMPLES)
    indices = [np.repeat(np.arange(12), draw) for draw in draws]
    for number, of in zip(found.numbers, pairing.QUANTITIES.values(), strict=True):
        differences = [of(b.mu_per_text[i].mean(0), 1e-6) - of(a.mu_per_text[i].mean(0), 1e-6) for i in indices]
        np.testing.assert_allclose(number.interval, np.quantile(differences, [0.025, 0.975]), atol=1e-12)
        assert number.difference == pytest.approx(of(b.mu, 1e-6) - of(a.mu, 1e-6))
    by_entry = [b.mu_per_text[i].mean(0) - a.mu_per_text[i].mean(0) for i in indices]
    np.testing.assert_allclose(found.mu.interval, np.quantile(by_entry, [0.025, 0.975], axis=0), atol=1e-12)


def test_the_seed_of_a_result_does_not_unpair_it(two):
    a, b = two
    other = replace(b, settings=b.settings | {"seed": 7})
    assert pairing.compare(a, other).numbers == pairing.compare(a, b).numbers


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 99))
def test_swapping_turns_every_sign(entries_a, entries_b, seed):
    rng = np.random.default_rng(seed)
    a, b = made(rng.random((4, entries_a)), "a"), made(rng.random((4, entries_b)), "b")
    there, back = pairing.compare(a, b), pairing.compare(b, a)
    assert len(there.depth) == min(entries_a, entries_b)
    np.testing.assert_allclose(there.mu.difference, -back.mu.difference, atol=1e-12)
    for x, y in zip(there.numbers, back.numbers, strict=True):
        np.testing.assert_allclose([x.interval.low, x.interval.high], [-y.interval.high, -y.interval.low], atol=1e-12)


def test_another_number_of_layers_is_interpolated():
    deep = made([np.linspace(0, 1, 9) ** 2] * 3, "deep")
    shallow = made([np.linspace(0, 1, 4)] * 3, "shallow")
    found = pairing.compare(deep, shallow)
    np.testing.assert_allclose(found.depth, [0, 1 / 3, 2 / 3, 1])
    expected = np.interp(found.depth, deep.layer_fraction, deep.mu)
    np.testing.assert_allclose(found.mu.first, expected)
    np.testing.assert_allclose(found.mu.second, shallow.mu)


def test_numbers_are_those_of_the_result():
    a, b = (made(np.random.default_rng(seed).random((4, 6)), str(seed)) for seed in (0, 1))
    late, rho, tau = pairing.compare(a, b).numbers
    assert (rho.first, rho.second) == pytest.approx((stats.spearmanr(range(6), a.mu)[0], b.rho))
    assert (tau.first, tau.second) == pytest.approx((stats.kendalltau(range(6), a.mu)[0], b.tau))
    assert (late.first, late.second) == pytest.approx((a.mu[3:].mean(), float(metrics.mean_of_last(b.mu, None))))


def test_a_result_with_itself_is_no_difference(two):
    for number in pairing.compare(two[0], two[0]).numbers:
        assert (number.difference, *number.interval) == (0, 0, 0)
        assert not pairing.excludes_zero(number)


def test_one_text_has_no_interval():
    found = pairing.compare(made([[0.1, 0.2, 0.3]], "a"), made([[0.3, 0.2, 0.1]], "b"))
    assert np.isnan(found.mu.interval.low).all()
    assert "needs two texts" in pairing.sentence(found.numbers[1], "a", "b")
    assert not pairing.excludes_zero(found.numbers[1])


def test_nan_stays_where_it_is():
    mu = np.tile(np.linspace(0.1, 0.5, 6), (3, 1))
    broken = mu.copy()
    broken[:, 4] = np.nan  # as a float, 3 / 5 of 5 is more than 3
    found = pairing.compare(made(mu, "a"), made(broken, "b"))
    assert np.flatnonzero(np.isnan(found.mu.difference)).tolist() == [4]
    assert "finite" in pairing.sentence(found.numbers[1], "a", "b")


def test_paired_differences_use_the_same_texts(condensation):
    shifted = replace(condensation, mu_per_text=condensation.mu_per_text + 0.125)
    mean = lambda mu: mu.mean(-1)
    end, (step,) = pairing.paired_differences([condensation, shifted], mean)
    assert end.value == step.value == pytest.approx(0.125)
    assert end.interval == pytest.approx((0.125, 0.125))  # what the texts share cancels
    assert (end.units, end.unit) == (len(condensation.mu_per_text), "texts")
    end, steps = pairing.paired_differences([condensation, shifted, condensation], mean)
    assert [found.value for found in (end, *steps)] == pytest.approx([0, 0.125, -0.125])
    end, (step,) = pairing.paired_differences([condensation, made([[0.1] * 5])], mean)
    assert np.isnan([*end.interval, *step.interval]).all()  # one text


def test_an_estimate_of_one_model_is_over_its_texts():
    mu = np.random.default_rng(0).random((30, 4))
    found = pairing.estimated(made(mu), lambda mu: mu[..., -1])
    assert found.value == pytest.approx(mu[:, -1].mean())
    by_student = mean_and_interval(mu[:, -1]).interval
    assert found.interval == pytest.approx(by_student, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "texts", "said"),
    [
        ({"texts_sha256": "cd"}, 3, "not measured on the same texts.*Measure both again"),
        ({}, 4, "not measured on the same texts"),
        ({"max_length": 64}, 3, "max_length 32 and 64"),
        ({"eps": 1e-6}, 3, "eps 0.001 and 1e-06"),
    ],
)
def test_other_texts_are_refused(changes, texts, said):
    a, b = made(np.ones((3, 4)), "a"), made(np.ones((texts, 4)), "b", **changes)
    with pytest.raises(ValueError, match=said):
        pairing.compare(a, b)


def test_without_a_fingerprint_the_token_counts_decide():
    mu = np.random.default_rng(0).random((3, 4))
    a, b = made(mu, "a", texts_sha256=None), made(mu, "b")
    assert pairing.known_texts(a) is None
    assert pairing.compare(a, b).texts == 3
    assert pairing.compare(b, replace(b, tokens=np.array([9, 9, 9]))).texts == 3  # another tokenizer
    with pytest.raises(ValueError, match="token counts differ"):
        pairing.compare(replace(a, tokens=np.array([32, 31, 32])), b)


def test_states_that_were_saved_by_others_have_no_length_that_they_were_cut_to():
    mu = np.random.default_rng(0).random((3, 4))
    saved = made(mu, "saved", texts_sha256=None, max_length=None)
    assert pairing.compare(saved, made(mu, "b")).texts == 3
    with pytest.raises(ValueError, match="token counts differ"):
        pairing.compare(replace(saved, tokens=np.array([9, 9, 9])), made(mu, "b"))


def test_sentences():
    say = lambda low, high: pairing.sentence(
        pairing.Difference("rho", 0.5, 0.25, -0.25, pairing.Interval(low, high)), "a", "b"
    )
    assert say(-0.5, -0.1) == (
        "rho: b minus a is -0.2500, 95 % interval -0.5000 to -0.1000, which excludes 0: b is lower on such texts."
    )
    assert say(0.1, 0.5).endswith("b is higher on such texts.")
    assert say(-0.5, 0.1).endswith("which includes 0: these texts cannot separate them.")


def test_facts_are_the_numbers():
    pair = pairing.compare(made(np.ones((3, 4)) / 2, "a"), made(np.ones((3, 4)), "b"))
    found = pairing.facts(pair)
    assert (found["first"], found["second"], found["texts"]) == ("a", "b", 3)
    late = {"first": 0.5, "second": 1.0, "difference": 0.5, "interval": pair.numbers[0].interval, "resolution": 1e-6}
    assert found["late_half"] == late
    assert list(found["mu"]["difference"]) == [0.5] * len(pair.depth)


@pytest.mark.parametrize(
    ("dtypes", "shift", "said"),
    [
        (("float32", "float32"), 0.005, "which excludes 0: b is higher"),
        (("float32", "bfloat16"), 0.005, "excludes 0 but not the 0.01 that the coarser of the two dtypes leaves to"),
        (("float16", "float32"), 0.005, "which excludes 0: b is higher"),
        (("float16", "float16"), 0.0005, "excludes 0 but not the 0.001"),
        (("bfloat16", "bfloat16"), 0.05, "which excludes 0: b is higher"),
        (("bfloat16", "bfloat16"), -0.05, "which excludes 0: b is lower"),
        (("bfloat16", "bfloat16"), -0.005, "excludes 0 but not the 0.01"),
        (("float32", "float32"), 0.0, "which includes 0"),
    ],
)
def test_a_difference_within_the_resolution_is_not_said_to_be_one(dtypes, shift, said):
    mu = np.random.default_rng(0).uniform(0.2, 0.6, (6, 5))
    one, other = made(mu, "a", dtype=dtypes[0]), made(mu + shift, "b", dtype=dtypes[1])
    late = pairing.compare(one, other).numbers[0]
    assert late.resolution == max(metrics.RESOLUTION[dtype] for dtype in dtypes)
    assert said in pairing.sentence(late, "a", "b")
    assert pairing.excludes_zero(late) == said.startswith("which excludes 0:")


# --- controls -------------------------------------------------------------------------------------------------------


def with_controls(result, shift, seed):
    rng = np.random.default_rng(0)  # the same texts for both
    states = [rng.normal(size=(6, 8, 5)) + shift for _ in range(6)]
    return replace(result, controls=replace(gathered(states), seed=seed))


def test_controls_are_compared_where_both_results_have_them(condensation):
    first, second = with_controls(condensation, 0, 0), with_controls(condensation, 2, 5)
    found = {number.quantity: number for number in pairing.compare(first, second).numbers}
    assert list(found)[3:] == ["between late half", "excess late half"]
    between = found["between late half"]
    a, b = (result.controls["between"][-2:].mean() for result in (first, second))
    assert (between.first, between.second, between.difference) == pytest.approx((a, b, b - a))
    draws = [replace(r.controls, seed=0).resampled("between")[:, -2:].mean(1) for r in (first, second)]
    assert between.interval == pytest.approx(tuple(np.quantile(draws[1] - draws[0], [0.025, 0.975])))
    assert len(pairing.compare(first, condensation).numbers) == 3


def test_a_result_differs_from_itself_by_nothing_in_its_controls(condensation):
    one = with_controls(condensation, 1, 0)
    for number in pairing.compare(one, replace(one, controls=replace(one.controls, seed=3))).numbers[3:]:
        assert (number.difference, *number.interval) == (0, 0, 0)
