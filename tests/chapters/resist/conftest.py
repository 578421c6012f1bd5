"""What the tests of the page share."""

import pytest
from toys import module_beside

from decondense import corpora, models
from decondense.chapters.resist import data, readings


@pytest.fixture(scope="session")
def made():
    return module_beside(__file__, "made")


@pytest.fixture
def numbers(monkeypatch):
    """Each run has the geometry that it says: the parts are shares of μ."""
    monkeypatch.setitem(readings.QUANTITIES, readings.LATE, lambda run: run.results["late"])
    for part, share in (("within", 0.75), ("between", 0.25)):
        quantity = lambda run, share=share: share * run.results["late"]
        monkeypatch.setitem(readings.QUANTITIES, f"{part}, late half", quantity)


@pytest.fixture
def own(made, tmp_path, monkeypatch):
    """Records, texts and a tokenizer of the test alone."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(corpora, "load", lambda *_: corpora.Corpus("made up", made.TEXT, "here", "0" * 64))
    monkeypatch.setattr(models, "load_tokenizer", lambda *_: made.trained(300))
    data._texts.cache_clear()
    yield
    data._texts.cache_clear()
