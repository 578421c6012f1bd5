"""What is gathered from hidden states against brute force in float64, and on models, batches and bad input."""

import copy
import warnings

import numpy as np
import pytest
import torch
from made_controls import (
    between,
    gathered,
    massive,
    others_tokens,
    same_third_pairs,
    unit,
    within,
    within_text,
)
from toys import LAYERS, tiny, unchecked

from decondense import hooks, measurement
from decondense.controls import spectrum
from decondense.controls.gathering import Gathering
from decondense.controls.quantities import BETWEEN, PER_TEXT, SPECTRUM
from decondense.controls.reference import TOP

FEATURES, ROWS = 12, 3
PARTS = ("within", "between", "excess")
LENGTHS = (8, 14, 11, 9, 12, 10, 13)
IDS = [[1, *np.random.default_rng(text).integers(2, 12, n - 1).tolist()] for text, n in enumerate(LENGTHS)]


def made_states(massive_by=150.0):
    """Texts that share a vector with a rogue dimension, have one of their own each, and a massive first token."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(ROWS, 1, FEATURES))
    shared[:, :, 4] = 6
    states = []
    for n in LENGTHS:
        z = shared + rng.normal(size=(ROWS, 1, FEATURES)) + rng.normal(size=(ROWS, n, FEATURES))
        z[:, 0] *= massive_by
        states.append(z)
    states[2][:, 5] *= 200  # a massive token that is not the first
    return states


@pytest.fixture(scope="module")
def states():
    return made_states()


@pytest.fixture(scope="module")
def found(states):
    return gathered(states, IDS)


def against(states, row, change):
    """The texts after `change(z, tokens of the other third)`, and which pairs of them count."""
    texts = [of_text[row] for of_text in states]
    return [change(z, others_tokens(texts, t)) for t, z in enumerate(texts)], same_third_pairs(texts)


def without_top(k):
    def change(z, others):
        kept = np.ones(FEATURES, dtype=bool)
        kept[np.argsort(-np.abs(others.mean(0)))[:k]] = False
        return z[:, kept]

    return change


VIEWS = {  # name -> what is done to the tokens of a text, given those of the other third; None: without these
    "": None,
    "_without_first": lambda z: z[1:],
    "_without_massive": lambda z: z[~massive(z)],
    "_centred": lambda z, others: z - others.mean(0),
    "_standardised": lambda z, others: (z - others.mean(0)) / others.std(0),
    **{f"_without_top_{k}": without_top(k) for k in TOP},
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("row", range(ROWS))
def test_within_and_between_are_those_of_brute_force(states, found, view, row):
    texts, pairs = [of_text[row] for of_text in states], None
    change = VIEWS[view]
    if view in ("_without_first", "_without_massive"):
        texts = [change(z) for z in texts]
    elif change:
        texts, pairs = against(states, row, change)
    values = {name: (*found[f"{name}{view}"], found.before_final_norm(f"{name}{view}"))[row] for name in PARTS}
    expected = {"within": within(texts), "between": between(texts, pairs)}
    expected["excess"] = expected["within"] - expected["between"]
    assert values == pytest.approx(expected, abs=1e-6)


def test_pairs_of_the_same_id_are_left_out(states, found):
    texts = [unit(of_text[0]) for of_text in states]
    other = lambda s, t: np.array(IDS[s])[:, None] != np.array(IDS[t])
    inside = [(u @ u.T)[other(t, t)].mean() for t, u in enumerate(texts)]
    assert found.of_texts("within_different_ids")[:, 0] == pytest.approx(inside, abs=1e-6)
    total, weight = 0.0, 0.0
    for s, t in zip(*np.triu_indices(len(texts), 1), strict=True):
        size = len(texts[s]) * len(texts[t])
        total += (texts[s] @ texts[t].T)[other(s, t)].sum() / size
        weight += other(s, t).sum() / size
    assert found["between_different_ids"][0] == pytest.approx(total / weight, abs=1e-6)


def test_frequency_position_and_fewer_tokens_are_those_of_brute_force(states, found):
    counts = dict(zip(*np.unique(np.concatenate(IDS), return_counts=True), strict=True))
    every = np.sort([counts[i] for ids in IDS for i in ids])
    median = every[(len(every) - 1) // 2]
    for t, ids in enumerate(IDS):
        z, n = states[t][1], len(ids)
        u = unit(z)
        other = np.array(ids)[:, None] != ids
        cosines = np.array([u[i] @ (m := u[other[i]].sum(0)) / np.linalg.norm(m) for i in range(n)])
        rare, early = np.array([counts[i] < median for i in ids]), np.arange(n) < n // 2
        chosen = {"rare": rare, "common": ~rare, "first_half": early, "second_half": ~early}
        expected = {f"to_mean_{name}": cosines[which].sum() / (which.sum() or np.nan) for name, which in chosen.items()}
        expected |= {"within_first_quarter": within_text(z[: n // 4]), "within_first_half": within_text(z[: n // 2])}
        expected["massive_tokens"] = massive(z).sum()
        assert {name: found.of_texts(name)[t, 1] for name in expected} == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_shares_are_those_of_the_mean_of_other_texts(states, found):
    texts = [of_text[0] for of_text in states]
    for t in range(len(texts)):
        held = np.sort(others_tokens(texts, t).mean(0) ** 2)[::-1]
        for k in TOP:
            share = held[:k].sum() / held.sum()
            assert found.of_texts(f"share_top_{k}")[t, 0] == pytest.approx(share, abs=1e-6)


def test_all_adds_what_is_not_linear(states, found):
    everything = gathered(states, IDS, everything=True)
    assert everything.names == PER_TEXT + SPECTRUM
    assert everything.quantities == PER_TEXT + SPECTRUM + BETWEEN
    for name in found.quantities:
        np.testing.assert_array_equal(everything[name], found[name])
    z = torch.as_tensor(states[3][1])
    for name, kept in (("participation_ratio_centred", z), ("participation_ratio_centred_without_first", z[1:])):
        assert everything.of_texts(name)[3, 1] == pytest.approx(spectrum.participation_ratio(kept), abs=1e-9)
    assert everything.of_texts("intrinsic_dimension_without_first")[3, 1] == pytest.approx(spectrum.two_nn(z[1:]))


# --- what must come out ---------------------------------------------------------------------------------------------


def copies(texts, tokens=6):
    """One row, twice: each text some copies of its vector, of any length."""
    lengths = np.arange(1, tokens + 1)[:, None]
    return [np.stack([lengths * np.asarray(v, dtype=float)] * 2) for v in texts]


@pytest.mark.parametrize(
    ("vectors", "inside", "across"),
    [
        (np.ones((5, 8)), 1, 1),
        (np.eye(8)[:5], 1, 0),
        (np.ones((5, 8)) + 2 * np.eye(8)[:5], 1, (8 + 2 * 2) / (8 + 4 + 4)),
    ],
    ids=["one vector", "a direction each", "a shared vector and one each"],
)
def test_closed_cases(vectors, inside, across):
    found = gathered(copies(vectors))
    assert found["within"] == pytest.approx(inside)
    assert found["between"] == pytest.approx(across)
    assert found["excess"] == pytest.approx(inside - across)


def test_orthogonal_tokens_have_neither():
    states = [np.stack([np.eye(30)[6 * t : 6 * t + 6]] * 2) for t in range(5)]
    found = gathered(states)
    for part in PARTS:
        assert found[part] == pytest.approx(0, abs=1e-12)


def test_a_rogue_dimension_is_all_that_is_shared():
    """Noise of one sign pattern that cancels: without the dimension the cosine of pairs of tokens is known."""
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=float)
    tokens = np.concatenate([np.full((4, 1), 20.0), signs], axis=1)
    states = [np.stack([tokens * scale] * 2) for scale in (1, 2, 3, 4)]
    found = gathered(states)
    assert found["within"] == pytest.approx(400 / 404)
    assert found["share_top_1"] > 0.99
    assert found["within_without_top_1"] == pytest.approx(0, abs=1e-12)
    assert found["between_without_top_1"] == pytest.approx(1 / 4)  # each token meets itself in the other text


def test_a_massive_first_token_would_rule_the_mean_that_is_removed():
    """As in real models it is the same in every text, in one dimension of its own."""
    rng = np.random.default_rng(0)
    texts = [3 + rng.normal(size=(15, 40)) for _ in range(9)]
    for z in texts:
        z[0] = 150 * np.linalg.norm(z[1]) * np.eye(40)[7]
    found = gathered([np.stack([z] * 2) for z in texts])
    others = lambda t: np.concatenate(texts[:t] + texts[t + 1 :])
    spoilt = np.mean([within_text(z - others(t).mean(0)) for t, z in enumerate(texts)])
    assert found["within_without_first"] == pytest.approx(0.9, abs=0.01)  # 9 of 10 parts of the squared norm
    assert found["within_centred"] == pytest.approx(0, abs=0.02)
    assert spoilt > 0.7


def test_centring_leaves_what_is_shared_up_to_the_error_of_the_mean():
    """Each text has a vector of its own beside the shared one: 1 / T' of the excess is left between texts."""
    rng = np.random.default_rng(0)
    features, tokens, texts = 400, 20, 9
    own = rng.normal(size=(texts, 1, features))
    states = [np.stack([10 + v + rng.normal(size=(tokens, features))] * 2) for v in own]
    found = gathered(states)
    assert found["between"] > 0.97
    expected = np.mean(
        [1 / (2 + 1 / n) / n for n in (6,) * 3 + (3,) * 15]
    )  # |b|^2 = |e|^2 = 1 a feature, pairs a third
    assert found["between_centred"] == pytest.approx(expected, abs=0.05)
    assert found["excess_centred"] == pytest.approx(0.5, abs=0.1)


def test_more_texts_than_groups_give_the_same_values(monkeypatch):
    from decondense.controls import result

    rng = np.random.default_rng(0)
    states = [rng.normal(size=(2, 5, 6)) + 0.5 for _ in range(10)]
    names = ("within", "between", "excess", "between_without_first", "between_different_ids")
    alone = {name: (found := gathered(states))[name] for name in names}
    assert found.pairs.shape[-1] == 10
    monkeypatch.setattr(result, "GROUPS", 4)
    result._draws.cache_clear()
    together = gathered(states)
    assert together.pairs.shape[-1] == 4
    for name in names:
        np.testing.assert_allclose(together[name], alone[name], atol=1e-9)
    low, high = together.interval("between")
    assert (low < together["between"]).all()
    assert (together["between"] < high).all()
    result._draws.cache_clear()


# --- models ---------------------------------------------------------------------------------------------------------


def measure(model, texts, **how):
    return measurement.measure(model, None, texts, **{"max_length": 14, "progress": False, "controls": True} | how)


quiet = pytest.mark.filterwarnings("ignore:.*shorter than max_length")


@quiet
@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_a_model_has_the_controls_of_its_hidden_states(name):
    model = tiny(name)
    found = measure(model, IDS)
    states = []
    for ids in IDS:
        kept = []
        keep = lambda *given, kept=kept: kept.append(given[2][0] if isinstance(given[2], tuple) else given[2])
        handle = hooks.blocks(model)[-1].register_forward_hook(keep)
        with torch.no_grad():
            hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        handle.remove()
        states.append(torch.stack([h[0] for h in (*hidden, *kept)]).double())
    expected = gathered([of_text.numpy() for of_text in states], IDS)
    assert len(found.controls["within"]) == LAYERS + 1
    np.testing.assert_allclose(found.controls.per_text, expected.per_text, atol=1e-5)
    np.testing.assert_allclose(found.controls.pairs, expected.pairs, atol=1e-5)
    np.testing.assert_allclose(found.controls["within"], found.mu_off_diagonal, atol=1e-6)
    same = found.controls.before_final_norm("within") == pytest.approx(found.controls["within"][-1], abs=1e-6)
    assert same == (name != "gpt2")  # BERT has no final norm, and an RMSNorm without gains turns no vector


@quiet
def test_controls_change_nothing_of_the_measurement_and_come_with_their_sentence():
    plain, found = (measure(tiny("gpt2"), IDS, controls=controls) for controls in (False, True))
    assert plain.controls is None
    assert "controls" not in plain.settings
    np.testing.assert_allclose(found.mu_per_text, plain.mu_per_text, atol=1e-6)
    np.testing.assert_allclose(found.histogram.sum(1), plain.histogram.sum(1))
    assert "first third" in found.settings["controls"]


@quiet
def test_padding_and_batches_change_nothing():
    alone, together = (measure(tiny("llama"), IDS, batch_tokens=n).controls for n in (1, 256))
    np.testing.assert_allclose(alone.per_text, together.per_text, atol=1e-5)
    np.testing.assert_allclose(alone.pairs, together.pairs, atol=1e-5)


@quiet
def test_a_text_goes_through_the_model_once_and_the_first_third_twice():
    model, lengths = tiny("gpt2"), []
    model.transformer.wte.register_forward_hook(lambda *a: lengths.append(a[1][0].shape[1]))
    measure(model, IDS, batch_tokens=1)
    assert sorted(lengths) == sorted(LENGTHS + LENGTHS[:2])


@quiet
def test_nothing_but_the_numbers_grows_with_the_texts():
    gathering = measurement.Gathering([torch.tensor(ids) for ids in IDS], 1e-3, False)
    states = made_states()
    for passage in gathering.passages:
        for text in passage.texts:
            passage.see(0, text, torch.as_tensor(states[text][0]))
    assert gathering.sums[0].shape[1:] == (len(IDS), FEATURES)
    assert len(gathering.repeats.sums[0]) <= 12  # the words that several texts have
    assert all(value.numel() == len(PER_TEXT) for value in gathering.values.values())


# --- few texts, bad input -------------------------------------------------------------------------------------------


@quiet
def test_one_text_has_nothing_between_and_says_so():
    with pytest.warns(UserWarning, match=r"one text has no other, so .* is NaN\. Give two texts or more\."):
        found = measure(tiny("gpt2"), IDS[:1])
    assert np.isnan([found.controls["between"], found.controls["excess"], found.controls["within_centred"]]).all()
    assert np.isnan(found.controls["between_different_ids"]).all()
    assert np.isnan(found.controls.interval("between")).all()
    np.testing.assert_allclose(found.controls["within"], found.mu_off_diagonal, atol=1e-6)


@quiet
def test_two_texts_have_no_pair_with_the_same_mean_and_say_so():
    with pytest.warns(UserWarning, match="Give three texts or more"):
        found = measure(tiny("gpt2"), IDS[:2]).controls
    assert np.isfinite([found["between"], found["within_centred"]]).all()
    assert np.isnan([found["between_centred"], *found.interval("between")]).all()


@quiet
def test_the_same_text_twice_is_refused():
    with pytest.raises(ValueError, match=r"Texts 0 and 2 have the same tokens .* Leave one out\."):
        measure(tiny("gpt2"), [IDS[0], IDS[1], IDS[0]])
    measure(tiny("gpt2"), [IDS[0], IDS[1], IDS[0]], controls=False)


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="controls must be True, False or"):
        unchecked(measurement.measure)(tiny("gpt2"), None, IDS, controls="some")


@quiet
def test_a_broken_text_is_nan_and_leaves_the_means_of_others():
    model = copy.deepcopy(tiny("gpt2"))
    model.transformer.wte.weight.data[60] = torch.nan
    ids = [*IDS[:4], [60, *IDS[4]]]
    with pytest.warns(UserWarning, match="NaN or infinite"):
        found = measure(model, ids).controls
    values = found.of_texts("within_centred")
    assert np.isfinite(values[:4]).all()
    assert np.isnan(values[4]).all()
    assert np.isnan(found["between"]).all()


@quiet
def test_float32_is_the_cure_of_what_a_narrow_type_breaks():
    model = copy.deepcopy(tiny("gpt2")).to(torch.bfloat16)
    model.transformer.wte.weight.data[1] = torch.inf
    with pytest.warns(UserWarning, match="bfloat16 may be too narrow: load the model in float32"):
        measure(model, IDS)


@pytest.mark.parametrize(("overlap", "warned"), [(150, True), (110, True), (70, False), (0, False)])
def test_two_parts_of_one_document_are_warned_of(overlap, warned):
    """Of two texts of 200 tokens, 169 runs of 32 each."""
    ids = torch.arange(400)
    texts = [ids[:200], ids[200 - overlap : 400 - overlap], ids[:40] + 500]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Gathering(texts, 1e-3, False)
    said = [str(one.message) for one in caught]
    assert said == [f"Texts 0 and 1 share {overlap - 31} runs of 32 tokens: they may be parts of one document, "
                    "and what lies between texts is then too high. Leave one out."] * warned  # fmt: skip
