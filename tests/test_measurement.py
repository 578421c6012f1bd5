"""`measure` against the protocol of the paper done by brute force in float64, and against bad input."""

import copy
import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from toys import LAYERS, TINY, VOCABULARY, tiny, unchecked

from decondense import measurement, metrics
from decondense.corpora import Corpus, sample_texts

ENTRIES, LENGTH = LAYERS + 1, 32


def measure(model, tokenizer, texts, **how):
    return measurement.measure(model, tokenizer, texts, **{"max_length": LENGTH, "progress": False} | how)


@pytest.fixture(scope="module")
def token_ids(tiny_tokenizer, texts):
    return [tiny_tokenizer(text)["input_ids"][:LENGTH] for text in texts]


def brute_force(model, token_ids):
    """All cosines in float64 from the hidden states that Hugging Face returns: (texts, entries, tokens, tokens)."""
    found = []
    for ids in token_ids:
        with torch.no_grad():
            hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        z = torch.stack([h[0].double() for h in hidden]).numpy()
        u = z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-3)
        found.append(u @ u.swapaxes(1, 2))
    return np.array(found)


def histogram(cosines, bins):
    return np.histogram(np.clip(cosines, -1, 1), bins, (-1, 1), density=True)[0]


def assert_same_histograms(density, expected, pairs, moved):
    """Equal but for at most `moved` pairs that rounding in float32 put over the edge of a bin."""
    apart = np.cumsum(density - expected, axis=-1) * 2 / density.shape[-1] * pairs
    assert np.abs(apart).max() <= moved + 1e-6


# --- the protocol ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "bert"])
def test_paper_protocol_is_that_of_brute_force(name, tiny_tokenizer):
    rng = np.random.default_rng(1)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 60, 7)) + " \n" for _ in range(50)]
    texts = sample_texts(Corpus("toy", rows, "made here", ""), 6, min_words=40, max_words=50)
    model = tiny(name)
    found = measure(model, tiny_tokenizer, texts, histogram="averaged")
    cosines = brute_force(model, [tiny_tokenizer(text)["input_ids"][:LENGTH] for text in texts])
    mu = cosines.mean((2, 3))
    depth = np.arange(ENTRIES)
    np.testing.assert_allclose(found.mu_per_text, mu, atol=1e-6)
    np.testing.assert_allclose(found.mu, mu.mean(0), atol=1e-6)
    assert found.rho == pytest.approx(stats.spearmanr(mu.mean(0), depth).statistic)
    assert found.tau == pytest.approx(stats.kendalltau(mu.mean(0), depth).statistic)
    expected = np.array([histogram(m, 128) for m in cosines.mean(0)])
    assert_same_histograms(found.histogram, expected, pairs=LENGTH**2, moved=8)


def test_pooled_histogram_is_that_of_all_pairs_of_all_texts(tiny_gpt2, tiny_tokenizer, texts, token_ids):
    found = measure(tiny_gpt2, tiny_tokenizer, texts, bins=40)
    cosines = brute_force(tiny_gpt2, token_ids)
    expected = np.array([histogram(cosines[:, entry], 40) for entry in range(ENTRIES)])
    assert_same_histograms(found.histogram, expected, pairs=len(texts) * LENGTH**2, moved=20)


def test_off_diagonal_leaves_the_diagonal_out(tiny_gpt2, tiny_tokenizer, texts, token_ids):
    cosines = brute_force(tiny_gpt2, token_ids)[:, :, ~np.eye(LENGTH, dtype=bool)]
    found = measure(tiny_gpt2, tiny_tokenizer, texts).mu_off_diagonal_per_text
    np.testing.assert_allclose(found, cosines.mean(-1), atol=1e-6)


@pytest.mark.parametrize("kind", ["pooled", "averaged"])
def test_histogram_rows_integrate_to_one(tiny_gpt2, tiny_tokenizer, texts, kind):
    found = measure(tiny_gpt2, tiny_tokenizer, texts, histogram=kind, bins=50)
    assert found.histogram.shape == (ENTRIES, 50)
    np.testing.assert_allclose(found.histogram.sum(1) * 2 / 50, 1, rtol=1e-12)


def test_pooled_histogram_is_wider_than_averaged(tiny_gpt2, tiny_tokenizer, texts):
    def variance(kind):
        density = measure(tiny_gpt2, tiny_tokenizer, texts, histogram=kind).histogram / 64
        centres = (np.arange(128) + 0.5) / 64 - 1
        return density @ centres**2 - (density @ centres) ** 2

    assert (variance("pooled") > 1.5 * variance("averaged")).all()


def test_histogram_can_be_left_out(tiny_gpt2, tiny_tokenizer, texts):
    with_one = measure(tiny_gpt2, tiny_tokenizer, texts)
    without = measure(tiny_gpt2, tiny_tokenizer, texts, histogram=None)
    assert without.histogram is None
    np.testing.assert_array_equal(without.mu, with_one.mu)


def test_same_numbers_twice(tiny_gpt2, tiny_tokenizer, texts):
    first, second = (measure(tiny_gpt2, tiny_tokenizer, texts) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize("name", ["gpt2", "bert-masked"])
def test_a_text_gives_the_same_alone_and_among_others(name, tiny_tokenizer, texts):
    model = tiny(name)
    together = measure(model, tiny_tokenizer, texts)
    alone = measure(model, tiny_tokenizer, texts[3:4])
    np.testing.assert_allclose(alone.mu_per_text[0], together.mu_per_text[3], atol=1e-6)


@pytest.mark.filterwarnings("ignore:.* texts are shorter than max_length")
@pytest.mark.parametrize(("name", "kind"), [*((name, None) for name in TINY), ("gpt2", "pooled")])
def test_short_texts_give_the_same_together_as_one_by_one(name, kind):
    rng, model = np.random.default_rng(0), tiny(name)
    ids = [rng.integers(1, VOCABULARY, n).tolist() for n in (5, 32, 2, 17, 16, 3, 31, 9)]
    passes = []
    measurement.backbone(model).register_forward_pre_hook(lambda *_: passes.append(1))
    together = measure(model, None, ids, histogram=kind)
    assert len(passes) < len(ids)
    alone = measure(model, None, ids, histogram=kind, batch_tokens=0)
    for field in ("mu_per_text", "mu_off_diagonal_per_text"):
        np.testing.assert_allclose(getattr(together, field), getattr(alone, field), atol=1e-6)
    np.testing.assert_array_equal(together.tokens, [5, 32, 2, 17, 16, 3, 31, 9])
    np.testing.assert_array_equal(together.zero_vectors, alone.zero_vectors)
    if kind:
        assert_same_histograms(together.histogram, alone.histogram, sum(n**2 for n in together.tokens), moved=4)


@given(lengths=st.lists(st.integers(2, 400), min_size=1, max_size=40))
def test_batches_hold_each_text_once_and_few_tokens(lengths):
    batches = measurement._batches(lengths, 256)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 256
        assert len(batch) == 1 or max(lengths[i] for i in batch) <= 128


def test_mask_is_given_only_where_something_is_padded():
    equal = measurement._padded([torch.tensor([1, 2]), torch.tensor([3, 4])])
    assert {name: t.tolist() for name, t in equal.items()} == {"input_ids": [[1, 2], [3, 4]]}
    padded = measurement._padded([torch.tensor([1, 2]), torch.tensor([3])])
    assert padded["input_ids"].tolist() == [[1, 2], [3, 0]]
    assert padded["attention_mask"].tolist() == [[1, 1], [1, 0]]


def test_ids_give_the_same_as_the_text(tiny_gpt2, tiny_tokenizer, texts, token_ids):
    found = measure(tiny_gpt2, None, token_ids)
    np.testing.assert_array_equal(found.mu_per_text, measure(tiny_gpt2, tiny_tokenizer, texts).mu_per_text)


def test_eps_is_passed_on(tiny_gpt2, tiny_tokenizer, texts):
    norms = tiny_gpt2.transformer.wte.weight.norm(dim=1)
    assert norms.max() < 10  # so that every embedding counts as shorter than 10, its cosines shrink
    small, large = (measure(tiny_gpt2, tiny_tokenizer, texts, eps=eps).mu[0] for eps in (1e-3, 10.0))
    assert large < 0.01 * small


def test_texts_of_unequal_length_are_measured_as_they_are(tiny_gpt2, tiny_tokenizer, texts):
    with pytest.warns(UserWarning, match=r"1 of 2 texts .* max_length=32 \(the shortest has 10 tokens\)"):
        found = measure(tiny_gpt2, tiny_tokenizer, [texts[0], " ".join(texts[1].split()[:10])])
    assert found.tokens.tolist() == [32, 10]
    assert found.mu_per_text.shape == (2, ENTRIES)


def test_settings_and_name_are_kept(tiny_gpt2, tiny_tokenizer, texts):
    found = measure(tiny_gpt2, tiny_tokenizer, texts[:1], seed=7)
    assert found.name == "GPT2LMHeadModel"
    settings = {"max_length": 32, "histogram": "pooled", "bins": 128, "eps": 1e-3, "seed": 7, "dtype": "float32"}
    assert found.settings == settings
    assert measure(tiny_gpt2, tiny_tokenizer, texts[:1], name="mine").name == "mine"


# --- what is left behind --------------------------------------------------------------------------------------------


def test_training_mode_is_restored(tiny_tokenizer, texts):
    model = tiny("gpt2", attn_pdrop=0.5).train()
    first = measure(model, tiny_tokenizer, texts[:2])
    assert model.training
    assert model.transformer.h[0].attn.attn_dropout.training
    model.eval()
    np.testing.assert_array_equal(measure(model, tiny_tokenizer, texts[:2]).mu, first.mu)  # no dropout in either
    assert not model.training


def test_training_mode_and_hooks_are_restored_after_a_failure(tiny_tokenizer, texts, monkeypatch):
    def broken(*_):
        raise KeyError("broken")

    model = tiny("gpt2").train()
    monkeypatch.setattr(metrics, "mean_cosine", broken)
    with pytest.raises(KeyError):
        measure(model, tiny_tokenizer, texts)
    assert model.training
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())


def test_no_hidden_state_outlives_its_entry(tiny_gpt2, tiny_tokenizer, texts, monkeypatch):
    seen, alive, mean_cosine = [], [], metrics.mean_cosine

    def watched(z, eps):
        alive.append(sum(ref() is not None for ref in seen))
        seen.append(weakref.ref(z))
        return mean_cosine(z, eps)

    monkeypatch.setattr(metrics, "mean_cosine", watched)
    measure(tiny_gpt2, tiny_tokenizer, texts)
    gc.collect()
    assert len(seen) == len(texts) * ENTRIES
    assert max(alive) <= 1  # however many texts and entries went before
    assert not any(ref() is not None for ref in seen)


@pytest.mark.parametrize("kind", ["pooled", "averaged"])
def test_only_the_rows_of_texts_grow_with_their_number(tiny_gpt2, tiny_tokenizer, texts, kind):
    few, many = (measure(tiny_gpt2, tiny_tokenizer, texts[:n], histogram=kind) for n in (1, 5))
    assert few.histogram.shape == many.histogram.shape == (ENTRIES, 128)
    assert few.zero_vectors.shape == many.nonfinite_vectors.shape == (ENTRIES,)
    assert few.mu_per_text.shape == (1, ENTRIES)
    assert many.mu_per_text.shape == many.mu_off_diagonal_per_text.shape == (5, ENTRIES)


# --- vectors without a direction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pooled", "averaged"])
def test_nan_is_counted_said_and_kept(tiny_gpt2, tiny_tokenizer, texts, kind):
    model = copy.deepcopy(tiny_gpt2)
    model.transformer.h[1].mlp.c_fc.bias.data[0] = torch.nan
    with pytest.warns(UserWarning, match=r"NaN or infinite hidden vectors \(entry 2: 160, entry 3: 160\)"):
        found = measure(model, tiny_tokenizer, texts, histogram=kind)
    healthy = measure(tiny_gpt2, tiny_tokenizer, texts, histogram=kind)
    assert found.nonfinite_vectors.tolist() == [0, 0, 160, 160]
    assert np.isnan(found.mu).tolist() == [False, False, True, True]
    assert np.isnan(found.histogram).all(1).tolist() == [False, False, True, True]
    np.testing.assert_array_equal(found.histogram[:2], healthy.histogram[:2])
    assert np.isnan([found.rho, found.tau, *found.rho_interval, *found.tau_interval]).all()


def test_nan_in_one_text_leaves_the_others(tiny_gpt2, tiny_tokenizer, texts):
    model = copy.deepcopy(tiny_gpt2)
    model.transformer.wte.weight.data[0] = torch.nan  # the unknown word
    with pytest.warns(UserWarning, match="entry 0: 1,"):
        found = measure(model, tiny_tokenizer, ["unknown " + texts[0], texts[1]])
    assert np.isnan(found.mu_per_text[0]).all()
    np.testing.assert_array_equal(found.mu_per_text[1], measure(tiny_gpt2, tiny_tokenizer, texts[1:2]).mu_per_text[0])


def test_zero_vectors_are_counted_and_their_cosine_is_zero(tiny_gpt2, tiny_tokenizer, token_ids):
    model = copy.deepcopy(tiny_gpt2)
    model.transformer.wpe.weight.data.zero_()
    model.transformer.wte.weight.data[token_ids[0][5]] = 0
    zeros = sum(ids.count(token_ids[0][5]) for ids in token_ids)
    with pytest.warns(UserWarning, match=rf"zero hidden vectors \(entry 0: {zeros}\); their cosine is taken as 0"):
        found = measure(model, None, token_ids)
    assert found.zero_vectors.tolist() == [zeros, 0, 0, 0]
    np.testing.assert_allclose(found.mu_per_text, brute_force(model, token_ids).mean((2, 3)), atol=1e-6)


# --- bad input ------------------------------------------------------------------------------------------------------


def test_unknown_histogram_is_refused(tiny_gpt2, tiny_tokenizer, texts):
    with pytest.raises(ValueError, match='histogram must be "pooled", "averaged" or None, got \'mean\''):
        unchecked(measurement.measure)(tiny_gpt2, tiny_tokenizer, texts, histogram="mean")


@pytest.mark.filterwarnings("ignore:1 of 2 texts")
def test_averaged_needs_equal_lengths(tiny_gpt2, tiny_tokenizer, texts):
    with pytest.raises(ValueError, match=r"same number of tokens; they have 3 to 32\. Give longer texts"):
        measure(tiny_gpt2, tiny_tokenizer, [texts[0], "w1 w2 w3"], histogram="averaged")


# --- resolution -----------------------------------------------------------------------------------------------------


def test_the_dtype_of_the_forward_pass_is_recorded(tiny_gpt2):
    ids = [[1, 2, 3, 4]] * 2
    how = {"max_length": 4, "progress": False}
    assert measurement.measure(tiny_gpt2, None, ids, **how).dtype == "float32"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert measurement.measure(tiny_gpt2, None, ids, **how).dtype == "bfloat16"
    for dtype, resolution in (("bfloat16", 1e-2), ("float16", 1e-3)):
        found = measurement.measure(copy.deepcopy(tiny_gpt2).to(getattr(torch, dtype)), None, ids, **how)
        assert (found.settings["dtype"], found.resolution) == (dtype, resolution)


@pytest.mark.filterwarnings("ignore:.*shorter than max_length")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["gpt2", "qwen3", "bert"])
def test_what_rounding_does_lies_below_the_resolution(kind, dtype):
    ids = [list(range(3, 3 + n)) for n in (12, 20, 31)]
    how = {"max_length": 31, "progress": False}
    exact = measurement.measure(tiny(kind), None, ids, **how)
    model = tiny(kind).to(getattr(torch, dtype))
    alone, together = (measurement.measure(model, None, ids, batch_tokens=n, **how) for n in (1, 99))
    for other in (exact, together):
        assert abs(alone.mu_per_text - other.mu_per_text).max() < alone.resolution


def test_no_trend_is_read_from_rounding():
    """Every token has the same embedding, and there are no positions: mu is 1 but for the last digits."""
    model = tiny("qwen3")
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(torch.randn(32, generator=torch.Generator().manual_seed(0)))
    found = measurement.measure(model, None, [[1, 2, 3, 4, 5], [6, 7, 8, 9, 3]], max_length=5, progress=False)
    assert np.ptp(found.mu) < 1e-6
    assert found.mu == pytest.approx(1, abs=1e-6)
    assert found.is_constant
    assert np.isnan([found.rho, found.tau, *found.rho_interval, *found.tau_interval]).all()


def test_a_text_beyond_memory_is_refused_before_the_forward_pass(monkeypatch):
    model = tiny("bloom")  # its positions have no end
    how = {"max_length": 50, "progress": False}
    needed = 6 * 50 * model.config.hidden_size * 4
    for histogram, more in (("pooled", 0), ("averaged", (LAYERS + 1) * 50**2 * 4)):
        monkeypatch.setattr("psutil.virtual_memory", lambda size=needed + more: SimpleNamespace(available=size))
        measurement.measure(model, None, [[1] * 50], histogram=histogram, **how)
        monkeypatch.setattr("psutil.virtual_memory", lambda size=needed + more: SimpleNamespace(available=size - 1))
        with pytest.raises(MemoryError, match=r"A text of 50 tokens takes at least .* Give a smaller max_length"):
            measurement.measure(model, None, [[1] * 50], histogram=histogram, **how)


@pytest.mark.parametrize("length", [1, 2**31, 10**20])
def test_a_length_that_is_none(tiny_gpt2, length):
    with pytest.raises(ValueError, match=rf"max_length must be at least 2 and below 2\^31.*got {length}"):
        measurement.measure(tiny_gpt2, None, [[1, 2]], max_length=length)


@pytest.mark.parametrize("histogram", ["pooled", "averaged"])
def test_autocast_does_not_reach_what_is_measured(histogram):
    z = torch.randn(40, 16, generator=torch.Generator().manual_seed(0)) + 1
    found = []
    for on in (False, True):
        store = {}
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            numbers = measurement.reducer(store, histogram, 128, 1e-3)(0, z)
        found.append((numbers, store[0]))
    (plain, counts), (cast, as_counted) = found
    assert torch.equal(plain, cast)
    assert torch.equal(counts, as_counted)
