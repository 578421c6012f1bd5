"""What tests share: caches of their own, tiny models with random weights, a tiny tokenizer and a tiny corpus."""

import gc
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"  # read when the libraries are imported

import numpy as np
import pytest
import torch
import toy_runs
import transformers
from hypothesis import settings
from made_tokens import carried, tokens  # noqa: F401, fixtures
from tokenizers import Tokenizer, models, pre_tokenizers
from toys import VOCABULARY, tiny, unchecked

import decondense
from decondense import records, surveys
from decondense.condensation import Condensation
from decondense.corpora import documentation
from decondense.models import pocket
from decondense.runs import MidTraining, PreTraining, store

settings.register_profile("any machine", deadline=None)  # a busy machine is not a failure
settings.load_profile("any machine")
torch.set_num_threads(1)  # tiny matrices gain nothing from a second thread, and lose much when cores are shared
for kind in (MidTraining, PreTraining):  # they check their values themselves, and say what is wrong
    kind.__init__ = unchecked(kind.__init__)


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
_REMEMBERING = (pocket.tokenizer, pocket._tokens, surveys.load_tokenizer, surveys.load_corpus)
_REMEMBERING += (store.corpus,)


def _forget():
    for cached in _REMEMBERING:
        cached.cache_clear()
    surveys._held.clear()


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """No test sees the user's caches, records or data; nothing that a function remembers outlives a test."""
    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("DECONDENSE_RECORDS", "DECONDENSE_DATA", "DECONDENSE_FRESH"):
        monkeypatch.delenv(name, raising=False)
    _forget()
    yield
    _forget()


@pytest.fixture(scope="session")
def toy_files(tiny_tokenizer, tmp_path_factory):
    """Only read: they are those of all tests."""
    return toy_runs.write_files(tmp_path_factory.mktemp("toys"), tiny_tokenizer)


@pytest.fixture
def world(toy_files, tmp_path, monkeypatch):
    """What `toy_runs` needs, also in other processes; records of its own, and none that are committed."""
    monkeypatch.setenv("DECONDENSE_DATA", str(toy_files))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("PYTHONPATH", str(Path(decondense.__file__).parents[1]))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")


@pytest.fixture(scope="module")
def frozen():
    """Each training collects garbage: most of the time here went into looking at what was imported."""
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_make_parametrize_id(val, argname):
    """Bytes may hold the time, as those of an archive do, and all workers must give a case the same name."""
    return argname if isinstance(val, bytes) else None
