"""Mid-training: the paper's conditions and defaults, names, the model that a run begins with, and its size."""

import json

import pytest
from toy_runs import mid, toy_model
from toys import tiny

from decondense import corpora, models
from decondense.base import files
from decondense.corpora import streams
from decondense.models import pocket
from decondense.runs import MidTraining, midtraining
from decondense.runs.watch import fingerprint


def test_defaults_are_the_papers():
    given = MidTraining(model="gpt2", corpus="wikitext-103", steps=10, loss="dispersion").as_dict()
    expected = {"learning_rate": 5e-5, "weight": 0.1, "layers": "all", "temperature": None, "subsample": 256}
    expected |= {"noise_alpha": None, "forgetting": False, "checkpoints": 5}
    assert {name: given[name] for name in expected} == expected


def test_the_eight_conditions_have_their_names():
    runs = [mid(model="pocket-small", text_length=24).changed(**change) for change in midtraining.CONDITIONS.values()]
    assert len({json.dumps(run.as_dict()) for run in runs}) == len(midtraining.CONDITIONS) == 8
    kinds = ["decorrelation_tokens" if kind == "decorrelation" else kind for kind in midtraining.CONDITIONS]
    assert [run.name for run in runs] == [f"midtraining-pocket-small-{kind}" for kind in kinds]
    assert sum(run.loss is not None for run in runs) == 4


@pytest.mark.parametrize("model", ["Qwen/Qwen3-0.6B", "qwen3-0.6b", "folder/qwen3-0.6b/"])
def test_a_name_has_the_last_part_of_the_model(model):
    assert mid(model=model).name == "midtraining-qwen3-0.6b-train"


def test_only_a_pocket_model_is_trained_first(small_pocket):
    assert "train_tokens" not in mid(model="gpt2").as_dict()
    config = mid(model="pocket-small", train_tokens=0)
    assert config.as_dict()["train_tokens"] == 0
    assert config.load().provenance["train_tokens"] == 0


@pytest.mark.parametrize("name", ["length", "text_length"])
def test_texts_longer_than_the_model_takes_are_refused(small_pocket, name):
    config = mid(model="pocket-small")
    with pytest.raises(ValueError, match=rf"^{name} is 33, and pocket-small takes 32 tokens at most"):
        config.changed(**{name: 33})
    assert getattr(config.changed(**{name: 32}), name) == 32


def test_it_begins_with_the_weights_of_the_model(world):
    assert fingerprint(mid().load().model) == fingerprint(models.load(toy_model()).model)


def test_a_model_without_a_head_is_refused(tmp_path, tiny_tokenizer):
    """Its head would be random, and training on it would mean nothing."""
    tiny("bert").save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has no language-model head, so there is no loss\. Take another model"):
        mid(model=str(tmp_path)).load()


def test_what_all_processes_need_is_prepared(small_pocket, monkeypatch):
    asked = []
    monkeypatch.setattr(pocket, "train_missing", lambda *how: asked.append(how))
    config = mid(model="pocket-small", corpus="documentation", train_tokens=7)
    config.prepare()
    assert asked == [(["pocket-small"], 7)]
    assert list((files.cache_dir() / "streams").glob("documentation-*.npy"))


def test_of_a_corpus_only_what_the_run_reads_is_prepared(world, monkeypatch):
    asked = []
    monkeypatch.setattr(streams, "stream", lambda corpus, tokenizer, wanted: asked.append((corpus.name, wanted)))
    config = mid()
    config.prepare()
    assert asked == [("imdb", config.needs)]
    assert corpora.load("imdb", ["local"]).source.startswith("local")


@pytest.mark.parametrize("name", ["pocket-small", "pocket-medium"])
def test_parameters_of_a_pocket_model(small_pocket, name):
    model = pocket._new_model(pocket.SIZES[name], 0)
    assert mid(model=name).parameters() == pytest.approx(model.num_parameters(), rel=0.05)


def test_parameters_of_a_folder_are_counted(small_pocket, tmp_path):
    model = pocket._new_model(pocket.SIZES["pocket-small"], 0)
    model.save_pretrained(tmp_path)
    assert mid(model=str(tmp_path)).parameters() == model.num_parameters()


def test_parameters_of_a_known_model():
    assert mid(model="gpt2").parameters() == models.table()["gpt2"]["parameters"]
