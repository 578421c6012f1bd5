"""The measurements of the page: records that are read again, and what could not be measured."""

import pytest

from decondense import corpora, models
from decondense.base import closure
from decondense.chapters.static import measurements, rows, tables
from decondense.metrics import mean_cosine
from decondense.models import pocket

POCKET = {"sources": [], "train_tokens": 0}


@pytest.fixture
def colours(monkeypatch, small_pocket):
    """A corpus of the words that have categories, each category more often than the one before."""
    groups = rows.categories().groupby("category").word
    lines = [
        " ".join(words) + " of the mean of all.\n" for k, (_, words) in enumerate(groups) for _ in range(20 + 4 * k)
    ]
    small_pocket[:] = lines
    monkeypatch.setattr(pocket, "VOCABULARY", 900)  # enough for most of the words
    return lines


@pytest.mark.parametrize("kind", measurements.WORD_VECTORS)
def test_word_vectors_are_described_once(colours, kind, monkeypatch):
    how = {"vocabulary": 300, "window": 3, "features": 6, "epochs": 2, "sources": []}
    found = measurements.of_words(kind, "documentation", **how)
    assert found.results["features"] == 6
    assert found.results["rows"] == 120 + 4
    assert len(found.results["course"]) == (2 if kind == "word2vec" else 1)
    assert len(found.results["precision"]["none"]) == 120
    monkeypatch.setattr(rows, "describe", None)
    monkeypatch.setattr(measurements, "describe", None)
    again = measurements.of_words(kind, "documentation", **how)
    assert again.results == found.results
    assert again.record.path == found.record.path


def test_table_of_a_model_has_the_tokens_that_come_often(colours):
    found = measurements.of_table("pocket-small", "documentation", **POCKET).results
    loaded = models.load("pocket-small", **POCKET)
    table = loaded.model.get_input_embeddings().weight
    assert found["vocabulary"] == len(table)
    assert found["rows"] <= len(table)
    assert found["tied"] == loaded.model.config.tie_word_embeddings
    assert tables.embedding(found).cosine["none"].value == pytest.approx(
        float(mean_cosine(table.detach()).off_diagonal), abs=0.05
    )


def test_a_model_that_is_refused_is_listed_with_the_reason(monkeypatch):
    found = measurements.of_tables(["smollm2-135m-instruct"], "documentation", sources=[])
    assert not found.found
    assert "smollm2" in found.missing["smollm2-135m-instruct"].lower()


@pytest.mark.parametrize("error", [ConnectionError("gone"), OSError(28, "No space left")])
def test_a_full_disk_or_a_lost_network_is_no_refusal(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(measurements, "of_table", fail)
    with pytest.raises(type(error)):
        measurements.of_tables(["a"], "documentation")


def test_a_model_is_put_under_the_cures_at_each_entry(colours):
    how = {"fitted": 6, "others": 3, "length": 24, **POCKET}
    found = tables.entries(measurements.of_model("pocket-small", "documentation", **how).results)
    assert found.mu.index.tolist() == [0, 1, 2]
    assert found.loss_without_mean.units == 3
    assert found.loss["as it is"].between(5, 9).all()  # about the logarithm of the vocabulary


def test_texts_are_read_by_name(colours):
    assert corpora.load("documentation", []).rows == colours


def test_a_changed_sentence_measures_nothing_again():
    names = {path.name for path in closure.files(measurements.__name__)}
    assert not names & {"claims.py", "figures.py", "tables.py", "verdicts.py"}
