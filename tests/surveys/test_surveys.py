"""One measurement of the book: made once, then read from its record. Models and texts are tiny and made here."""

import errno
import json
import os
from functools import wraps

import numpy as np
import pytest
import torch
from toys import tiny

from decondense import corpora, measurement, models, records, surveys
from decondense.models import pocket

HOW = {"n_texts": 3, "max_length": 32, "sources": ("local",), "train_tokens": 0}


@pytest.fixture(autouse=True)
def world(small_pocket, tmp_path, monkeypatch):
    """Two names for a local corpus of 400 rows of 100 words, and a folder for records."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    rng = np.random.default_rng(0)
    words = np.array(" ".join(small_pocket[:5]).split())
    rows = [" ".join(rng.choice(words, 100)) + "\n" for _ in range(400)]
    lines = "\n".join(json.dumps({"text": row, "context": row}) for row in rows)
    for name in ("imdb/test_3000.jsonl", "squad/dev_sample1000.jsonl"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(lines)


def measured(model="pocket-small", corpus="imdb", **how):
    return surveys.measured(model, corpus, **HOW | how)


def test_result_is_that_of_the_parts():
    found = measured(histogram="averaged", first_seed=5)
    model, tokenizer, _ = models.load("pocket-small", train_tokens=0)
    corpus = corpora.load("imdb", ["local"])
    texts = corpora.sample_texts(corpus, 3, first_seed=5)
    how = {"max_length": 32, "histogram": "averaged", "progress": False}
    expected = measurement.measure(model, tokenizer, texts, **how)
    np.testing.assert_array_equal(found.condensation.mu_per_text, expected.mu_per_text)
    np.testing.assert_array_equal(found.condensation.histogram, expected.histogram)
    assert found.condensation.name == "pocket-small"
    results = found.record.content["results"]
    assert results["rho"] == expected.rho
    assert results["corpus"] == {"name": "imdb", "source": corpus.source, "sha256": corpus.sha256}
    assert results["model"]["source"] == "trained here on the embedded corpus"


def test_second_time_the_record_is_read_and_no_model_is_loaded(monkeypatch):
    first = measured()
    for name in ("load_model", "load_tokenizer"):
        monkeypatch.setattr(surveys, name, lambda *_, **__: pytest.fail("loaded again"))
    second = measured()
    assert second.record == first.record
    np.testing.assert_array_equal(second.condensation.mu_per_text, first.condensation.mu_per_text)


@pytest.mark.parametrize("change", [{"n_texts": 2}, {"first_seed": 1}, {"seed": 1}, {"max_length": 16}])
def test_another_setting_is_another_record(change):
    assert measured(**change).record.path != measured().record.path


def test_name_of_the_record_says_what_it_is():
    name = measured(seed=4).record.path.name
    assert name.startswith("condensation-pocket-small-pretrained-imdb-seed4-")


def test_model_is_loaded_once_for_two_corpora(monkeypatch):
    loads = []
    load = pocket.load
    monkeypatch.setattr(pocket, "load", lambda *arguments: loads.append(arguments) or load(*arguments))
    measured()
    measured(corpus="squad")
    assert len(loads) == 1


def test_random_weights_need_a_tokenizer_that_is_available(monkeypatch):
    monkeypatch.setattr(surveys, "load_model", lambda *_, **__: pytest.fail("loaded first"))
    with pytest.raises(FileNotFoundError, match=r"No tokenizer for gpt2 from local\. .*--tokenizer pocket-small"):
        measured("gpt2", weights="random")


def test_random_weights_with_the_tokenizer_of_another_model(monkeypatch):
    loaded = models.Loaded(tiny("gpt2", vocab_size=300), None, {"source": "random initialisation"})
    monkeypatch.setattr(surveys, "load_model", lambda *_, **__: loaded)
    found = measured("gpt2", weights="random", tokenizer="pocket-small")
    assert found.record.content["config"]["tokenizer"] == "pocket-small"
    model = found.condensation.settings["model"]
    assert (model["tokenizer"], model["family"], model["model"]) == ("pocket-small", "GPT2", "gpt2")
    assert found.condensation.mu_per_text.shape == (3, 4)


def test_survey_groups_by_family_and_names_what_is_missing(monkeypatch):
    one = measured()

    def refuse(model, **_):
        if model == "gpt2-xl":
            raise MemoryError("too large")
        if model.startswith("bloom"):
            raise FileNotFoundError("no source")
        return one

    monkeypatch.setattr(surveys, "measured", refuse)
    found = surveys.survey(["gpt2", "pocket-small", "bloom-560m", "gpt2-xl", "gpt2-medium"], "imdb")
    assert {family: len(members) for family, members in found.families.items()} == {"GPT2": 2, "pocket": 1}
    assert found.missing == {"gpt2-xl": "too large", "bloom-560m": "no source"}
    assert found.records() == [one.record] * 3
    assert found.condensations() == [one.condensation] * 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_cannot_be_written_stops_a_survey(monkeypatch, number):
    def full(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(records, "write", full)
    with pytest.raises(OSError, match=os.strerror(number)):
        surveys.survey(["pocket-small", "pocket-medium"], "imdb", **HOW)


def test_survey_goes_on_where_it_was_stopped(monkeypatch):
    write, written = records.write, []

    def once(path, *parts):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return write(path, *parts)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write", once)
        with pytest.raises(OSError, match="No space left"):
            surveys.survey(["pocket-small", "pocket-medium"], "imdb", **HOW)
    found = surveys.survey(["pocket-small", "pocket-medium"], "imdb", **HOW)
    assert next(record.path for record in found.records()) == written[0]
    assert len(found.records()) == 2


def test_survey_hides_no_other_error():
    with pytest.raises(ValueError, match="Unknown corpus 'imbd'"):
        surveys.survey(["pocket-small"], "imbd", **HOW)


def test_a_revision_is_part_of_the_configuration_and_of_the_name(monkeypatch, tiny_gpt2, tiny_tokenizer):
    asked = []
    monkeypatch.setattr(surveys, "load_model", lambda *_, **how: asked.append(how["revision"]) or loaded)
    loaded = models.Loaded(tiny_gpt2, tiny_tokenizer, {})
    found = surveys.checkpoints("gpt2", ["step0", "step9"], "imdb", n_texts=1, max_length=16, sources=("local",))
    assert asked == ["step0", "step9"]
    assert [c.name for c in found.condensations()] == ["gpt2@step0", "gpt2@step9"]
    assert [r.content["config"]["revision"] for r in found.records()] == ["step0", "step9"]
    assert list(found.families) == ["gpt2"]


def test_bits_are_part_of_the_configuration_and_of_the_name_where_they_are_given(
    monkeypatch, tiny_gpt2, tiny_tokenizer
):
    asked = []
    monkeypatch.setattr(surveys, "load_model", lambda *_, **how: asked.append(how["bits"]) or loaded)
    loaded = models.Loaded(tiny_gpt2, tiny_tokenizer, {})
    how = {"n_texts": 1, "max_length": 16, "sources": ("local",)}
    found = [surveys.measured("gpt2", "imdb", bits=bits, **how) for bits in (None, 4)]
    assert asked == [None, 4]
    assert [one.condensation.name for one in found] == ["gpt2", "gpt2 at 4 bits"]
    assert [one.record.content["config"].get("bits", "none") for one in found] == ["none", 4]


def test_a_revision_that_no_source_has_is_missing(monkeypatch):
    found = surveys.checkpoints("gpt2", ["step0"], "imdb", n_texts=1, sources=("local",))
    assert found.families == {}
    assert found.missing["step0"].startswith("Could not get gpt2")


# --- a folder -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, tiny_gpt2, tiny_tokenizer):
    """A model in a folder whose path must not show up anywhere."""
    path = tmp_path / "someone" / "my-model"
    tiny_gpt2.save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return path


def test_a_result_carries_where_it_is_from(folder, texts):
    given = corpora.Texts(texts, "files a.txt")
    result = surveys.by_name(str(folder), given, max_length=32, sources=("local",), progress=False)
    assert result.name == "my-model"
    assert (result.settings["texts"], result.settings["texts_sha256"]) == ("files a.txt", given.sha256)
    model = result.settings["model"]
    assert (model["model"], model["source"], model["family"]) == ("my-model", "local folder", "other")
    assert model["parameters"] == sum(p.numel() for p in models.load(str(folder)).model.parameters())
    assert set(result.settings["versions"]) == set(surveys.PACKAGES)
    assert "someone" not in str(result.settings)


def test_cosines_of_tokens_are_those_of_the_same_model_and_texts(folder, texts):
    how = {"max_length": 32, "sources": ("local",), "tokenizer": str(folder)}
    found = surveys.token_cosines(str(folder), corpora.Texts(texts, ""), **how)
    result = surveys.by_name(str(folder), corpora.Texts(texts, ""), progress=False, **how)
    for text, words, mu in zip(found, texts, result.mu_per_text, strict=True):
        assert text.tokens == words.split()[:32]
        np.testing.assert_allclose(text.cosines.mean(1) ** 2, mu[list(text.entries)], atol=1e-6)


def test_a_named_model_is_not_loaded_again_for_its_tokens(small_pocket, monkeypatch):
    given = corpora.Texts(["the mean of a cosine is taken over all pairs"], "")
    how = {"max_length": 8, "sources": ("local",), "train_tokens": 0}
    loads = []

    @wraps(models.load)
    def load(*arguments, load=models.load, **named):
        loads.append(arguments)
        return load(*arguments, **named)

    monkeypatch.setattr(models, "load", load)
    surveys.by_name("pocket-small", given, progress=False, **how)
    assert len(surveys.token_cosines("pocket-small", given, **how)[0].tokens) == 8
    assert len(loads) == 1


def test_a_model_that_is_saved_anew_is_loaded_anew(folder, texts):
    how = {"max_length": 32, "progress": False}
    first = surveys.by_name(str(folder), corpora.Texts(texts, ""), **how)
    torch.manual_seed(1)
    type(tiny("gpt2"))(tiny("gpt2").config).save_pretrained(folder)
    assert not np.array_equal(surveys.by_name(str(folder), corpora.Texts(texts, ""), **how).mu, first.mu)


def test_a_folder_without_weights_or_without_a_tokenizer_names_what_is_missing(tmp_path):
    given = corpora.Texts(["one two"], "files")
    with pytest.raises(FileNotFoundError, match=r"has no weights\. Save them there"):
        surveys.by_name(str(tmp_path), given)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer\. .*--tokenizer MODEL"):
        surveys.by_name(str(tmp_path), given)


def test_names_hold_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert surveys.label(str(tmp_path)) == surveys.label(".") == tmp_path.name
    assert surveys.file_name("Qwen/Qwen3-0.6B") == "qwen3-0.6b"
    assert [surveys.family(name) for name in ("pocket-small", ".", "Qwen/Qwen3-0.6B")] == ["pocket", "other", "Qwen3"]
