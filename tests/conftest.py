"""What tests share: caches of their own, tiny models with random weights, a tiny tokenizer and a tiny corpus."""

import gc
import os

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"  # read when the libraries are imported

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from decondense import documentation, experiments, midtraining, pocket, pretraining
from decondense.condensation import Condensation

torch.set_num_threads(1)  # tiny matrices gain nothing from a second thread, and lose much when cores are shared
REAL_DATA = os.environ.get("DECONDENSE_DATA")  # the user's own, before any test sees the environment
LAYERS, WIDTH, VOCABULARY, POSITIONS = 3, 32, 64, 64
_GPT2 = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 4, "vocab_size": VOCABULARY, "n_positions": POSITIONS}
_SHAPE = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "vocab_size": VOCABULARY}
_LONG = _SHAPE | {"intermediate_size": 48, "max_position_embeddings": POSITIONS}
_GROUPED = _LONG | {"num_key_value_heads": 2}
TINY = {  # class and configuration, the model's own name on the left
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", _GPT2),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", _GROUPED | {"head_dim": 8}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", _GROUPED),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _GROUPED),
    "bloom": ("BloomForCausalLM", "BloomConfig", _SHAPE),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", _LONG),
    "olmo-3": ("Olmo3ForCausalLM", "Olmo3Config", _GROUPED | {"pad_token_id": 0}),
    "gemma-3": ("Gemma3ForCausalLM", "Gemma3TextConfig", _GROUPED | {"head_dim": 8}),
    "bert": ("BertModel", "BertConfig", _LONG),
    "bert-masked": ("BertForMaskedLM", "BertConfig", _LONG),
}


def tiny(name, **changes):
    """A tiny model of the architecture `name` with seeded random weights, in evaluation mode."""
    model, config, arguments = TINY[name]
    torch.manual_seed(0)
    return getattr(transformers, model)(getattr(transformers, config)(**arguments | changes)).eval()


def unchecked(function):
    """The function without the type checker of these tests, as a user has it."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


@pytest.fixture(scope="session")
def tiny_gpt2():
    """Shared by all tests: copy it before you change it."""
    return tiny("gpt2")


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """One token a word: the words w0 to w62, and one for all others."""
    words = {"[UNK]": 0} | {f"w{i}": i + 1 for i in range(VOCABULARY - 1)}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


@pytest.fixture(scope="session")
def texts():
    """Five texts of 40 words that the tiny tokenizer knows."""
    rng = np.random.default_rng(0)
    return [" ".join(f"w{i}" for i in rng.integers(0, VOCABULARY - 1, 40)) for _ in range(5)]


@pytest.fixture
def condensation():
    """A result with a histogram, of 6 texts, 5 entries and 16 bins; mu rises with depth."""
    rng = np.random.default_rng(0)
    mu = 0.1 * np.arange(5) + rng.uniform(0, 0.05, (6, 5))
    density = rng.uniform(0.1, 1, (5, 16))
    return Condensation(
        name="toy",
        mu_per_text=mu,
        mu_off_diagonal_per_text=mu - 0.05,
        histogram=density / density.sum(1, keepdims=True) * 8,
        tokens=np.full(6, 32),
        zero_vectors=np.zeros(5, dtype=int),
        nonfinite_vectors=np.arange(5),
        settings={"max_length": 32, "histogram": "pooled", "bins": 16, "eps": 1e-3, "seed": 0},
    )


@pytest.fixture
def small_pocket(monkeypatch):
    """The pocket family at toy size, on a toy corpus: it trains in a second."""
    rng = np.random.default_rng(0)
    words = ["the", "mean", "of", "a", "cosine", "is", "taken", "over", "all", "pairs", "in", "this", "sequence"]
    rows = [" ".join(rng.choice(words, 12)) + ".\n" for _ in range(400)]
    monkeypatch.setattr(documentation, "paragraphs", lambda: rows)
    monkeypatch.setattr(pocket, "VOCABULARY", 300)
    monkeypatch.setattr(pocket, "CONTEXT", 32)
    monkeypatch.setattr(pocket, "SIZES", {"pocket-small": pocket.Size(2, 2), "pocket-medium": pocket.Size(3, 2)})
    return rows


# Taken here: a test may put something else in their place.
_REMEMBERING = (pocket.tokenizer, pocket._tokens, experiments.load_tokenizer, experiments.load_corpus)
_REMEMBERING += (midtraining._corpus, pretraining._corpus)


def _forget():
    for cached in _REMEMBERING:
        cached.cache_clear()
    experiments._held.clear()


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """No test sees the user's caches, records or data; nothing that a function remembers outlives a test."""
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("DECONDENSE_RECORDS", "DECONDENSE_DATA", "DECONDENSE_FRESH"):
        monkeypatch.delenv(name, raising=False)
    _forget()
    yield
    _forget()


@pytest.fixture(scope="module")
def frozen():
    """Each training collects garbage: most of the time here went into looking at what was imported."""
    gc.freeze()
    yield
    gc.unfreeze()
