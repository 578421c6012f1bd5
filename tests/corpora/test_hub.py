"""Data sets without a name here: folders that `datasets` saved, and the hub as far as it can be asked offline."""

from types import SimpleNamespace

import datasets
import numpy as np
import pytest

from decondense import corpora
from decondense.corpora import hub

COMMIT = "c" * 40
ROWS = [f"row {i} has forty words " + "of no use " * 12 for i in range(600)]
CHATS = [[{"role": "user", "content": f"number {i}"}] for i in range(30)]


@pytest.fixture
def folder(tmp_path):
    parts = {
        "train": datasets.Dataset.from_dict({"text": ROWS, "n": list(range(600))}),
        "chats": datasets.Dataset.from_dict({"messages": CHATS}),
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "both")
    parts["train"].save_to_disk(tmp_path / "one")
    return tmp_path


@pytest.mark.parametrize("name", ["both", "both:train", "one"])
def test_texts_are_drawn_as_from_any_corpus(folder, name):
    found = hub.texts(f"{folder}/{name}", 3, 5)
    corpus = corpora.Corpus("x", ROWS, "", "")
    assert found.texts == corpora.sample_texts(corpus, 3, 5)
    assert found.source == f"{name} (folder, column text, the first 600 rows)"


def test_chats_are_drawn_whole_and_none_twice(folder):
    found = hub.texts(f"{folder}/both:chats", 30, 7)
    assert sorted(found.texts, key=str) == sorted(CHATS, key=str)
    order = np.random.default_rng(7).permutation(30)
    assert found.texts == [CHATS[i] for i in order]
    with pytest.raises(ValueError, match="has 30 chats, fewer than --n 31"):
        hub.texts(f"{folder}/both:chats", 31)


def test_no_more_rows_are_read_than_enough(folder, monkeypatch):
    monkeypatch.setattr(hub, "ROWS", 400)
    assert "the first 400 rows" in hub.texts(f"{folder}/one", 1).source


@pytest.mark.parametrize(
    ("name", "column", "error", "said"),
    [
        ("one", "body", ValueError, "no column 'body'. It has: text, n. Name"),
        ("one", "n", ValueError, "has int where a text should be. Name .* --column"),
        ("both:test", None, ValueError, "has no split 'test'. It has: train, chats. Give .*both:train"),
        (".", None, FileNotFoundError, "holds no data set of `datasets`. Save one there with save_to_disk"),
    ],
)
def test_what_is_refused(folder, name, column, error, said):
    with pytest.raises(error, match=said):
        hub.texts(f"{folder}/{name}", 1, column=column)


def test_the_hub_is_asked_for_rows_one_by_one(monkeypatch, tmp_path):
    asked = []

    def load_dataset(*arguments, **how):
        asked.append((arguments, how))
        found = datasets.Dataset.from_dict({"text": ROWS})
        if how.get("streaming"):
            return found.to_iterable_dataset()
        found.save_to_disk(tmp_path / COMMIT)
        return datasets.load_from_disk(tmp_path / COMMIT)

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_: SimpleNamespace(sha=COMMIT))
    source = f"owner/name:en:test (hub at {COMMIT}, column text, the first 600 rows)"
    assert hub.texts("owner/name:en:test", 1).source == source
    hub.texts("owner/name", 1)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)  # the cache cannot be streamed
    hub.texts("owner/name:en", 1)
    assert asked == [
        (("owner/name", "en"), {"split": "test", "revision": COMMIT, "streaming": True}),
        (("owner/name", None), {"split": "train", "revision": COMMIT, "streaming": True}),
        (("owner/name", "en"), {"split": "train"}),
    ]


def test_the_hub_when_offline_or_not_allowed():
    with pytest.raises(FileNotFoundError, match=r"Could not get the data set owner/name from the hub .*, or go online"):
        hub.texts("owner/name", 1)
    with pytest.raises(FileNotFoundError, match=r"There is no folder owner/name.*add hub to --sources"):
        hub.texts("owner/name", 1, sources=["local"])


def test_rows_are_kept_apart_and_too_few_have_a_cure(tmp_path):
    rows = ["no blank at the end", "a newline\n"]
    datasets.Dataset.from_dict({"text": rows * 1000}).save_to_disk(tmp_path / "many")
    assert hub.texts(f"{tmp_path}/many", 1).texts[0].split("\n")[:3] in (
        ["no blank at the end", "a newline", "no blank at the end"],
        ["a newline", "no blank at the end", "a newline"],
    )
    datasets.Dataset.from_dict({"text": rows}).save_to_disk(tmp_path / "few")
    with pytest.raises(ValueError, match=r"ends after \d+ words .* to_json, and give that with --texts"):
        hub.texts(f"{tmp_path}/few", 1)


def test_which_names_are_meant(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [name for name in ("owner/name", "one", "both:chats", "wikitext-2", "gone") if hub.is_name(name)] == [
        "owner/name", "one", "both:chats",
    ]  # fmt: skip
